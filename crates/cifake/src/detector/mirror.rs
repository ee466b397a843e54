//! From pictures to scores and probabilities, by one look or by two.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use super::Detector;
use crate::{Classifier, EmbeddingClassifier, Scorer};

impl Detector {
    /// Judges each picture and its mirror image from now on, and means the logits of the two, at
    /// twice the cost. The calibration stays that of one look.
    #[must_use]
    pub fn with_mirror_averaging(self) -> Self {
        Self { averages_mirror: true, ..self }
    }

    /// Calibrated probabilities, `[batch]`, as of pictures of the model's size, in whatever pool this is
    /// called.
    fn p_fake(&self, images: Tensor<4>) -> Tensor<1> {
        let logits = self.mean_logits(images);
        let [batch, _] = logits.dims();
        let margin = logits.clone().narrow(1, 1, 1) - logits.narrow(1, 0, 1);
        let curve = &self.calibration.native;
        sigmoid(margin / curve.temperature + curve.bias).reshape([batch])
    }

    fn mean_logits(&self, images: Tensor<4>) -> Tensor<2> {
        let model = self.fastest();
        if self.averages_mirror {
            (model.logits(images.clone()) + model.logits(images.flip([3]))) / 2.0
        } else {
            model.logits(images)
        }
    }

    /// The plan where there is one, else the network.
    pub(super) fn fastest(&self) -> &dyn EmbeddingClassifier {
        match &self.plan {
            Some(plan) => &**plan,
            None => &*self.network,
        }
    }
}

/// The calibrated probability of FAKE, as of pictures of the model's size, which `images` must have.
impl Scorer for Detector {
    fn scores(&self, images: Tensor<4>) -> Tensor<1> {
        self.threads.install(|| self.p_fake(images))
    }
}

/// Class scores before calibration, by the compiled plan where there is one, in the detector's threads: what
/// answers an attack fastest. `images` must have the model's size.
impl Classifier for Detector {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.threads.install(|| self.mean_logits(images))
    }
}
