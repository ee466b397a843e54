//! Layer normalization of rows.

use crate::layer_norm::normalize;

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` with the statistics of each row.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// A layer of `gamma.len()` channels.
    ///
    /// # Panics
    /// If `gamma` is empty or `beta` has another length.
    #[must_use]
    pub fn new(gamma: &[f32], beta: &[f32], epsilon: f32) -> Self {
        assert!(!gamma.is_empty() && gamma.len() == beta.len(), "one gamma and one beta a channel");
        Self { gamma: gamma.to_vec(), beta: beta.to_vec(), epsilon }
    }

    /// Normalizes the rows of `x` into `out`, both `[rows, channels]`.
    ///
    /// # Panics
    /// If the sizes differ.
    pub fn apply(&self, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "unequal rows");
        normalize(x, &self.gamma, &self.beta, self.epsilon, out);
    }
}
