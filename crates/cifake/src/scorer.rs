//! The traits of a detector, from the least that an evaluation needs to the most that a CAM needs.

use burn::tensor::Tensor;

/// Anything that scores pictures: a training-free statistic, a network, a closure in [`FnScorer`].
pub trait Scorer: Send + Sync {
    /// One score a picture, `[batch]`; higher means FAKE, and a probability where the scorer has one.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`; normalization happens inside.
    fn scores(&self, images: Tensor<4>) -> Tensor<1>;
}

/// A model with class scores: enough for black-box attacks and for a compiled plan.
pub trait Classifier: Send + Sync {
    /// Class scores before softmax, `[batch, 2]`, REAL = 0 and FAKE = 1.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`; normalization happens inside.
    fn logits(&self, images: Tensor<4>) -> Tensor<2>;
}

/// A classifier through which gradients reach the input: what a white-box attack needs.
///
/// The model must be in evaluation mode (`.valid()`), so that no call changes it.
pub trait Differentiable: Classifier {}

/// A layer at which a [`FeatureClassifier`] can be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The layer's name in upstream's checkpoints, for instance `stages.1.blocks.1.local_conv`.
    pub name: String,
    /// Channels of the feature map.
    pub channels: usize,
    /// Height of the feature map.
    pub height: usize,
    /// Width of the feature map.
    pub width: usize,
}

/// A differentiable classifier that can be cut at a named layer: what a CAM needs.
///
/// A detector whose network cannot be cut implements none of the methods. It then has no layers, so a CAM is a typed
/// error.
pub trait FeatureClassifier: Differentiable {
    /// The layers at which the model can be cut, from input to output. None by default.
    fn layers(&self) -> &[Layer] {
        &[]
    }

    /// The feature map `[batch, channels, height, width]` that `at` puts out.
    ///
    /// # Panics
    ///
    /// If `at` is none of [`layers`](Self::layers): always where there are none.
    fn features(&self, _images: Tensor<4>, at: &Layer) -> Tensor<4> {
        panic!("{} is not a layer of this model", at.name)
    }

    /// The class scores `[batch, 2]` that the rest of the model makes of `features` at `at`;
    /// `head(features(x, at), at)` equals `logits(x)`.
    ///
    /// # Panics
    ///
    /// If `at` is none of [`layers`](Self::layers): always where there are none.
    fn head(&self, _features: Tensor<4>, at: &Layer) -> Tensor<2> {
        panic!("{} is not a layer of this model", at.name)
    }
}

/// A head's outputs `[batch, 1 or 2]` as class scores `[batch, 2]`: a single logit `z` of FAKE
/// becomes `[0, z]`, which is the same probability.
#[must_use]
pub fn class_scores(outputs: Tensor<2>) -> Tensor<2> {
    match outputs.dims() {
        [_, 1] => Tensor::cat(vec![outputs.zeros_like(), outputs], 1),
        _ => outputs,
    }
}

/// A closure as a [`Scorer`].
pub struct FnScorer<F>(
    /// Called with `[batch, 3, height, width]`, answers `[batch]`.
    pub F,
);

impl<F> Scorer for FnScorer<F>
where
    F: Fn(Tensor<4>) -> Tensor<1> + Send + Sync,
{
    fn scores(&self, images: Tensor<4>) -> Tensor<1> {
        (self.0)(images)
    }
}

/// Any [`Classifier`] as a [`Scorer`] of the probability of FAKE.
pub struct ProbabilityOfFake<'a, C: ?Sized>(
    /// The classifier that is scored.
    pub &'a C,
);

impl<C: Classifier + ?Sized> Scorer for ProbabilityOfFake<'_, C> {
    fn scores(&self, images: Tensor<4>) -> Tensor<1> {
        let logits = self.0.logits(images);
        let [batch, _] = logits.dims();
        burn::tensor::activation::softmax(logits, 1).narrow(1, 1, 1).reshape([batch])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Whole;

    impl Classifier for Whole {
        fn logits(&self, images: Tensor<4>) -> Tensor<2> {
            Tensor::zeros([images.dims()[0], 2], &images.device())
        }
    }

    impl Differentiable for Whole {}

    impl FeatureClassifier for Whole {}

    #[test]
    fn a_detector_that_cannot_be_cut_has_no_layers() {
        let model: Arc<dyn FeatureClassifier> = Arc::new(Whole);
        assert!(model.layers().is_empty());
    }
}
