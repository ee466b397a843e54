//! The abilities that a [`Detector`](crate::Detector) needs of a network.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::Tensor;

use crate::{Classifier, Differentiable, FeatureClassifier, Layer};

/// A classifier that also gives the embedding from which its head computes the class scores.
pub trait EmbeddingClassifier: Classifier {
    /// Class scores before softmax, `[batch, 2]`, REAL = 0 and FAKE = 1, and the embedding that the head's last
    /// linear layer reads, `[batch, dim]`.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`; normalization happens inside.
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>);
}

/// A trained network in evaluation mode, as a [`Detector`](crate::Detector) and the programs use it: for
/// verdicts, white-box attacks and class activation maps.
///
/// A crate that brings a network implements this trait and offers a [`Loader`](crate::Loader) for its weight files.
pub trait Network: FeatureClassifier + EmbeddingClassifier + Debug + Any {
    /// Name of the architecture, such as `tinyvit-native`. A detector appends the hash of its weights.
    fn name(&self) -> String;

    /// Width and height of the pictures that the network reads, in pixels.
    fn input_size(&self) -> (u32, u32);

    /// Length of the embedding.
    fn embedding_dim(&self) -> usize;

    /// Memory that the activations of one picture take at once, in bytes, at most: a detector chooses the size
    /// of its batches by it.
    fn activation_bytes(&self) -> u64;

    /// Multiply-accumulates of the forward pass of one picture; `None` where they are not counted.
    fn macs(&self) -> Option<u64> {
        None
    }

    /// The network compiled for inference on the CPU: the same scores, rounding aside. `None` where there is no
    /// faster form.
    fn compile(&self) -> Option<Box<dyn EmbeddingClassifier>> {
        None
    }
}

impl<N: Classifier + ?Sized> Classifier for Arc<N> {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        (**self).logits(images)
    }
}

impl<N: Differentiable + ?Sized> Differentiable for Arc<N> {}

impl<N: FeatureClassifier + ?Sized> FeatureClassifier for Arc<N> {
    fn layers(&self) -> &[Layer] {
        (**self).layers()
    }

    fn features(&self, images: Tensor<4>, at: &Layer) -> Tensor<4> {
        (**self).features(images, at)
    }

    fn head(&self, features: Tensor<4>, at: &Layer) -> Tensor<2> {
        (**self).head(features, at)
    }
}
