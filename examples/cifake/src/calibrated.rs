//! A detector's answers, for measures that take class scores.

use burn::tensor::Tensor;
use cifake::{Classifier, Detector, Scorer};

/// The calibrated probabilities of a detector as class scores, so that an answer is that at a probability of 0.5.
///
/// The detector's own class scores are those of the network before calibration: where a bias was fitted, their answers
/// are others.
pub(crate) struct Calibrated<'a>(pub(crate) &'a Detector);

impl Classifier for Calibrated<'_> {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let p_fake = self.0.scores(images);
        let [batch] = p_fake.dims();
        let p_fake = p_fake.reshape([batch, 1]);
        Tensor::cat(vec![1.0 - p_fake.clone(), p_fake], 1)
    }
}
