//! The outcome of an attack on one sample.

use cifake::Label;
use serde::{Deserialize, Serialize};

/// A sample after an attack. Sizes are those of the perturbation after rounding to 8 bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its index in the data set.
    pub index: usize,
    /// Its name in the data set.
    pub id: String,
    /// Its true label.
    pub label: Label,
    /// Whether the model was correct before the attack.
    pub clean_correct: bool,
    /// Whether the model was correct after the attack.
    pub correct: bool,
    /// l2 size of the perturbation.
    pub l2: f32,
    /// linf size of the perturbation.
    pub linf: f32,
    /// Pixels that differ in any channel.
    pub n_pixels: usize,
    /// Number of classifications without a gradient.
    pub n_queries: usize,
    /// Number of gradients.
    pub n_gradients: usize,
    /// Whether a black-box search turned it after gradient attacks had left it.
    #[serde(default)]
    pub beyond_gradients: bool,
}
