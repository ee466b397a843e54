//! An attacked batch of a data set, rounded to 8 bits and measured.

use std::time::Instant;

use burn::tensor::Tensor;
use cifake::{Dataset, rgb8_from_tensor, tensor_from_rgb8};

use super::RunOptions;
use super::sizes::Sizes;
use crate::Error;
use crate::kit::{Attack, Perturbed, Samples, TargetModel};

/// An attacked batch.
pub(crate) struct AttackedBatch {
    /// The samples before the attack.
    pub(crate) samples: Samples,
    /// The result of the attack.
    pub(crate) found: Perturbed,
    /// The attacked pictures, rounded to 8 bits.
    pub(crate) images: Tensor<4>,
    /// Sizes of the perturbations after rounding.
    pub(crate) sizes: Sizes,
    /// Wall time of the attack in seconds.
    pub(crate) seconds: f64,
}

impl AttackedBatch {
    /// Attacks the samples of `dataset` at `indices`.
    pub(crate) fn new(
        target: &TargetModel<'_>,
        dataset: &dyn Dataset,
        attack: &dyn Attack,
        options: &RunOptions,
        indices: &[usize],
    ) -> Result<Self, Error> {
        let samples = options.load(dataset, indices)?;
        let begun = Instant::now();
        let found = attack.perturb(target, &samples, options.seed)?;
        let seconds = begun.elapsed().as_secs_f64();
        let rounded = rgb8_from_tensor(found.images.clone());
        let images = tensor_from_rgb8(&rounded, &options.device)?;
        let sizes = Sizes::of(&samples.images, &images);
        Ok(Self { samples, found, images, sizes, seconds })
    }
}
