//! Sizes of perturbations.

use burn::tensor::Tensor;

use crate::kit::{Norm, values};

/// Sizes of the perturbations of a batch, one value for each picture.
pub(crate) struct Sizes {
    pub(crate) l2: Vec<f32>,
    pub(crate) linf: Vec<f32>,
    pub(crate) n_pixels: Vec<usize>,
}

impl Sizes {
    pub(crate) fn of(clean: &Tensor<4>, attacked: &Tensor<4>) -> Self {
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
