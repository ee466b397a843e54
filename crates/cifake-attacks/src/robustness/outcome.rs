//! What became of one sample.

use cifake::Label;
use serde::{Deserialize, Serialize};

/// A sample after an attack; sizes are those of the perturbation after rounding to 8 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its index in the data set.
    pub index: usize,
    /// Its name in the data set.
    pub id: String,
    /// What it is.
    pub label: Label,
    /// Whether the model called it right before.
    pub clean_correct: bool,
    /// Whether it still does.
    pub correct: bool,
    /// l2 size of the perturbation.
    pub l2: f32,
    /// linf size of the perturbation.
    pub linf: f32,
    /// Pixels that differ in any channel.
    pub n_pixels: usize,
    /// Times that the picture, or a candidate for it, was classified.
    pub n_queries: usize,
    /// Times that a gradient was taken for it.
    pub n_gradients: usize,
    /// Whether a search by answers turned it after attacks by gradients had left it.
    #[serde(default)]
    pub beyond_gradients: bool,
}
