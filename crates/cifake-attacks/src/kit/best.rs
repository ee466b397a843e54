//! The best pictures of several restarts, or of several attacks.

use burn::tensor::Tensor;

use super::tensor::rows;
use super::{Perturbed, Samples};
use crate::Error;

/// The samples of one restart: those on which no earlier restart succeeded.
#[derive(Debug, Clone)]
pub struct Remaining {
    /// Their places in the batch of the call.
    pub indices: Vec<usize>,
    /// The samples themselves.
    pub samples: Samples,
}

/// Calls `attempt(number, remaining, best)` up to `n` times and returns the best pictures.
///
/// Each call gets the samples without a success so far. It ends early where none remain.
///
/// # Errors
///
/// The first error of `attempt`.
pub fn restarts(
    samples: &Samples,
    n: usize,
    mut attempt: impl FnMut(usize, &Remaining, &mut Best) -> Result<(), Error>,
) -> Result<Perturbed, Error> {
    let mut best = Best::new(samples);
    for number in 0..n {
        let indices = best.still_robust();
        if indices.is_empty() {
            break;
        }
        let samples = samples.select(&indices);
        attempt(number, &Remaining { indices, samples }, &mut best)?;
    }
    Ok(best.into_perturbed())
}

/// The best picture of each sample so far, and its cost.
#[derive(Debug)]
pub struct Best {
    images: Tensor<4>,
    margins: Vec<f32>,
    /// For each sample of the call, the number of classifications without a gradient.
    pub n_queries: Vec<usize>,
    /// For each sample of the call, the number of gradients.
    pub n_gradients: Vec<usize>,
}

impl Best {
    fn new(samples: &Samples) -> Self {
        let n = samples.len();
        Self {
            images: samples.images.clone(),
            margins: vec![f32::NEG_INFINITY; n],
            n_queries: vec![0; n],
            n_gradients: vec![0; n],
        }
    }

    /// Samples without a success so far.
    fn still_robust(&self) -> Vec<usize> {
        (0..self.margins.len()).filter(|&i| self.margins[i] <= 0.0).collect()
    }

    /// Keeps each row of `images` whose margin is higher than that of the best picture so far.
    ///
    /// Row `i` belongs to the sample `indices[i]`. A margin above 0 is a success, see
    /// [`margins_of`](super::margins_of).
    ///
    /// # Panics
    ///
    /// If the three have different lengths, or an index is outside the batch.
    pub fn offer(&mut self, indices: &[usize], images: &Tensor<4>, margins: &[f32]) {
        let better = |&place: &usize| margins[place] > self.margins[indices[place]];
        let places: Vec<usize> = (0..indices.len()).filter(better).collect();
        if places.is_empty() {
            return;
        }
        let n = self.margins.len();
        let mut source: Vec<usize> = (0..n).collect();
        for &place in &places {
            source[indices[place]] = n + place;
            self.margins[indices[place]] = margins[place];
        }
        let both = Tensor::cat(vec![self.images.clone(), images.clone()], 0);
        self.images = rows(&both, &source);
    }

    fn into_perturbed(self) -> Perturbed {
        let Self { images, n_queries, n_gradients, .. } = self;
        Perturbed::new(images, n_queries, n_gradients)
    }
}
