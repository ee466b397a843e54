//! Attention masks: which tokens of one call may look at which others.

/// The attention pattern of the tokens of one call. Padding is never attended to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AttentionMask {
    /// Each token attends to itself and to the tokens before it.
    #[default]
    Causal,
    /// Prefix-LM, as PaliGemma has it. The given number of tokens at the start of each sequence,
    /// behind its padding, attend to each other in both directions. All other tokens are causal.
    Prefix(Vec<usize>),
}

impl AttentionMask {
    /// The mask of sequences with these prefixes, in tokens; causal if all are empty.
    #[must_use]
    pub fn with_prefixes(prefixes: Vec<usize>) -> Self {
        match prefixes.iter().all(|&len| len == 0) {
            true => Self::Causal,
            false => Self::Prefix(prefixes),
        }
    }

    /// Whether every token attends to earlier tokens alone.
    #[must_use]
    pub fn is_causal(&self) -> bool {
        matches!(self, Self::Causal)
    }

    /// The prefix of `sequence`, in tokens.
    pub(super) fn prefix(&self, sequence: usize) -> usize {
        match self {
            Self::Causal => 0,
            Self::Prefix(prefixes) => prefixes[sequence],
        }
    }

    /// Panics where the mask is of another batch.
    pub(super) fn assert_batch(&self, batch: usize) {
        if let Self::Prefix(prefixes) = self {
            assert_eq!(prefixes.len(), batch, "one prefix a sequence");
        }
    }
}
