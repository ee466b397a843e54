//! What several tries of an attack, or several attacks, have found so far.

use burn::tensor::Tensor;

use crate::samples::rows;
use crate::{Error, Perturbed, Samples};

/// The samples of a try: those that the tries before it left standing.
#[derive(Clone)]
pub(crate) struct Tried {
    /// Which samples of the call they are.
    pub(crate) indices: Vec<usize>,
    pub(crate) samples: Samples,
}

/// Calls `attempt(number, tried, best)` up to `n` times, each time with the samples that are still
/// robust.
pub(crate) fn in_turn(
    samples: &Samples,
    n: usize,
    mut attempt: impl FnMut(usize, &Tried, &mut Best) -> Result<(), Error>,
) -> Result<Perturbed, Error> {
    let mut best = Best::new(samples);
    for number in 0..n {
        let indices = best.still_robust();
        if indices.is_empty() {
            break;
        }
        let samples = samples.select(&indices);
        attempt(number, &Tried { indices, samples }, &mut best)?;
    }
    Ok(best.into_perturbed())
}

/// The best picture of each sample so far.
pub(crate) struct Best {
    images: Tensor<4>,
    margins: Vec<f32>,
    pub(crate) n_queries: Vec<usize>,
    pub(crate) n_gradients: Vec<usize>,
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

    /// Samples that no offer has turned yet.
    fn still_robust(&self) -> Vec<usize> {
        (0..self.margins.len()).filter(|&i| self.margins[i] <= 0.0).collect()
    }

    /// Takes what is better of `images`, whose row `i` belongs to the sample `indices[i]`.
    pub(crate) fn offer(&mut self, indices: &[usize], images: &Tensor<4>, margins: &[f32]) {
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
