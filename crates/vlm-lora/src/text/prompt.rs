//! The start of a generation.

use burn::tensor::Tensor;

use super::decoder::Decoder;
use super::mask::AttentionMask;
use super::position::Positions;
use crate::error::Error;

/// A prompt as a decoder reads it: of text alone, or with pictures among the tokens.
#[derive(Debug, Clone)]
pub struct Prompt {
    embeddings: Tensor<2>,
    positions: Positions,
    tokens: Vec<u32>,
    prefix: usize,
}

impl Prompt {
    /// A prompt whose `tokens` have `embeddings`, `[tokens, d_model]`, and stand at `positions` of one
    /// sequence. The tokens themselves matter to repetition penalties alone.
    ///
    /// # Panics
    /// If there is no token, or the numbers of tokens differ.
    #[must_use]
    pub fn new(embeddings: Tensor<2>, positions: Positions, tokens: Vec<u32>) -> Self {
        let [_, batch, n_tokens] = positions.shape();
        assert!(n_tokens > 0, "a prompt has a token");
        assert_eq!([batch, n_tokens], [1, embeddings.dims()[0]], "one position an embedding");
        assert_eq!(tokens.len(), n_tokens, "one token an embedding");
        Self { embeddings, positions, tokens, prefix: 0 }
    }

    /// A prompt of text.
    ///
    /// # Panics
    /// If there is no token, or one is not below the vocabulary's size.
    #[must_use]
    pub fn text(decoder: &Decoder, tokens: &[u32]) -> Self {
        let positions = Positions::text(&[0], tokens.len());
        Self::new(decoder.embed(tokens), positions, tokens.to_vec())
    }

    /// The same prompt, whose first `prefix` tokens attend to each other in both directions.
    ///
    /// # Panics
    /// If the prompt has fewer tokens.
    #[must_use]
    pub fn with_prefix(mut self, prefix: usize) -> Self {
        assert!(prefix <= self.tokens.len(), "a prefix is a part of its prompt");
        self.prefix = prefix;
        self
    }

    /// Number of tokens at the start that attend to each other in both directions; 0 for a causal prompt.
    #[must_use]
    pub fn prefix(&self) -> usize {
        self.prefix
    }

    /// Scores of the next token behind each token, `[tokens, vocab_size]`, without a cache.
    pub(crate) fn logits(&self, decoder: &Decoder) -> Tensor<2> {
        let mask = AttentionMask::with_prefixes(vec![self.prefix]);
        let embeddings = self.embeddings.clone().unsqueeze();
        let hidden = decoder.forward_masked(embeddings, &self.positions, &mask, None);
        decoder.logits(hidden.squeeze_dim::<2>(0))
    }

    /// Fails where the prompt has more positions than the model of `decoder` was made for.
    pub(crate) fn check_positions(&self, decoder: &Decoder) -> Result<(), Error> {
        let (found, limit) = (self.positions.next(0) as usize, decoder.config().max_positions);
        match found <= limit {
            true => Ok(()),
            false => Err(Error::Setting {
                setting: "prompt",
                found: format!("of {found} positions"),
                expected: format!("at most {limit}, the maximum of the model"),
            }),
        }
    }

    /// Number of tokens, those that stand for pictures included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: a prompt has a token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// `[tokens, d_model]`.
    #[must_use]
    pub fn embeddings(&self) -> &Tensor<2> {
        &self.embeddings
    }

    /// Of one sequence.
    #[must_use]
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// The tokens.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }
}
