//! Vectors of tokens.

use burn::tensor::Tensor;

use crate::error::Error;
use crate::source::{Matrix, WeightSource};

/// One vector a token.
#[derive(Debug, Clone)]
pub struct Embedding {
    weight: Matrix,
}

impl Embedding {
    /// The table at `path`: `{path}.weight`, `[n_tokens, d_model]`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        weights: &mut dyn WeightSource,
        path: &str,
        n_tokens: usize,
        d_model: usize,
    ) -> Result<Self, Error> {
        let weight = weights.matrix(&format!("{path}.weight"), [n_tokens, d_model])?;
        Ok(Self { weight })
    }

    /// The vectors of `tokens`, `[tokens, d_model]`.
    ///
    /// # Panics
    /// If a token is not below the number of vectors.
    #[must_use]
    pub fn forward(&self, tokens: &[u32]) -> Tensor<2> {
        self.weight.rows(tokens)
    }

    /// The table: what a tied head multiplies with.
    #[must_use]
    pub fn weight(&self) -> &Matrix {
        &self.weight
    }
}
