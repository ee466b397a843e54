//! A batch of a data set under an attack, as it would be stored: rounded to 8 bits, and measured.

use std::time::Instant;

use burn::tensor::Tensor;
use cifake::{Dataset, Picture, rgb8_from_tensor, tensor_from_rgb8};

use crate::sizes::Sizes;
use crate::{Attack, Error, Perturbed, RunOptions, Samples, Victim};

/// An attacked batch.
pub(crate) struct Attacked {
    /// What was attacked.
    pub(crate) samples: Samples,
    /// What the attack returned.
    pub(crate) found: Perturbed,
    /// The same after rounding.
    pub(crate) pictures: Vec<Picture>,
    /// The rounded pictures as a tensor.
    pub(crate) images: Tensor<4>,
    /// How far the rounded pictures are from the originals.
    pub(crate) sizes: Sizes,
    /// Time that the attack took.
    pub(crate) seconds: f64,
}

impl Attacked {
    /// Attacks the samples of `dataset` at `indices`.
    pub(crate) fn new(
        victim: &Victim<'_>,
        dataset: &dyn Dataset,
        attack: &dyn Attack,
        options: &RunOptions,
        indices: &[usize],
    ) -> Result<Self, Error> {
        let samples = options.load(dataset, indices)?;
        let begun = Instant::now();
        let found = attack.perturb(victim, &samples, options.seed)?;
        let seconds = begun.elapsed().as_secs_f64();
        let pictures = rgb8_from_tensor(found.images.clone());
        let images = tensor_from_rgb8(&pictures, &options.device)?;
        let sizes = Sizes::of(&samples.images, &images);
        Ok(Self { samples, found, pictures, images, sizes, seconds })
    }
}
