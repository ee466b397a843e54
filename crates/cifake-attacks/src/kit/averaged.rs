//! Randomized models.

use burn::tensor::Tensor;
use cifake::{Classifier, Differentiable};

/// The mean of a randomized model's logits over several calls. Attacks then follow the expected
/// gradient (Athalye et al. 2018, arXiv 1802.00420: expectation over transformation).
#[derive(Debug, Clone, Copy)]
pub struct Averaged<M> {
    /// The randomized model.
    pub model: M,
    /// Number of calls in the mean, at least 1.
    pub n_calls: usize,
}

impl<M: Classifier> Classifier for Averaged<M> {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let n_calls = self.n_calls.max(1);
        let sum = (1..n_calls).fold(self.model.logits(images.clone()), |sum, _| {
            sum + self.model.logits(images.clone())
        });
        sum / n_calls as f64
    }
}

impl<M: Differentiable> Differentiable for Averaged<M> {}
