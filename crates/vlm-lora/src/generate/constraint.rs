//! Constraints of a generation.

/// The tokens that may come next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    allowed: Vec<bool>,
}

impl Mask {
    /// A mask that forbids all of `n_tokens` tokens.
    #[must_use]
    pub fn none(n_tokens: usize) -> Self {
        Self { allowed: vec![false; n_tokens] }
    }

    /// Allows `token`, if there is one of that number.
    pub fn allow(&mut self, token: u32) {
        if let Some(allowed) = self.allowed.get_mut(token as usize) {
            *allowed = true;
        }
    }

    /// Whether `token` may come.
    #[must_use]
    pub fn allows(&self, token: u32) -> bool {
        self.allowed.get(token as usize).is_some_and(|allowed| *allowed)
    }

    /// Number of tokens that may come.
    #[must_use]
    pub fn count(&self) -> usize {
        self.allowed.iter().filter(|allowed| **allowed).count()
    }

    /// Makes the scores of all other tokens `-inf`; scores beyond the mask's end belong to no token.
    pub fn apply(&self, scores: &mut [f32]) {
        for (i, score) in scores.iter_mut().enumerate() {
            if !self.allowed.get(i).is_some_and(|allowed| *allowed) {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

/// A rule for what is generated. One value follows one sequence from its first token.
pub trait Constraint: Send {
    /// The tokens that may come next, at least one. `left` tokens may still come, the one that ends
    /// the sequence included.
    fn mask(&mut self, left: usize) -> Mask;

    /// Takes note of the token that came.
    fn advance(&mut self, token: u32);

    /// A fresh value for another sequence.
    fn fresh(&self) -> Box<dyn Constraint>;

    /// The fewest tokens within which the rule can be kept.
    fn min_tokens(&self) -> usize;
}
