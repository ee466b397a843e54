//! What became of one sample.

use burn::tensor::Tensor;
use cifake::Label;
use serde::{Deserialize, Serialize};

use crate::Norm;
use crate::samples::values;

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
}

/// Sizes of the perturbations of a batch.
pub(super) struct Sizes {
    pub(super) l2: Vec<f32>,
    pub(super) linf: Vec<f32>,
    pub(super) n_pixels: Vec<usize>,
}

impl Sizes {
    pub(super) fn of(clean: &Tensor<4>, attacked: &Tensor<4>) -> Self {
        let [_, channels, height, width] = clean.dims();
        let delta = attacked.clone() - clean.clone();
        let plane = height * width;
        let changed = |row: &[f32]| {
            let differs = |at: &usize| (0..channels).any(|c| row[c * plane + at] != 0.0);
            (0..plane).filter(differs).count()
        };
        Self {
            n_pixels: values(delta.clone()).chunks_exact(channels * plane).map(changed).collect(),
            l2: Norm::L2.sizes(delta.clone()),
            linf: Norm::Linf.sizes(delta),
        }
    }
}
