//! From pictures to probabilities, by one look or by two.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use cifake::Classifier;

use super::Detector;

impl Detector {
    /// Judges each picture and its mirror image from now on, and means the logits of the two, at
    /// twice the cost. The calibration stays that of one look.
    #[must_use]
    pub fn with_mirror_averaging(self) -> Self {
        Self { averages_mirror: true, ..self }
    }

    /// Calibrated probabilities, `[batch]`, as of pictures of the model's size, in whatever pool this is
    /// called.
    pub(super) fn p_fake(&self, images: Tensor<4>) -> Tensor<1> {
        let logits = if self.averages_mirror {
            (self.logits(images.clone()) + self.logits(images.flip([3]))) / 2.0
        } else {
            self.logits(images)
        };
        let [batch, _] = logits.dims();
        let margin = logits.clone().narrow(1, 1, 1) - logits.narrow(1, 0, 1);
        let curve = &self.calibration.native;
        sigmoid(margin / curve.temperature + curve.bias).reshape([batch])
    }

    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        match &self.plan {
            Some(plan) => plan.logits(images),
            None => self.classifier.logits(images),
        }
    }
}
