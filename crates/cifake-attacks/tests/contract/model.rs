//! Two detectors small enough to know everything about.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Int, Tensor, activation};
use cifake::{Classifier, Differentiable, Label};
use cifake_attacks::Samples;

pub(crate) const HEIGHT: usize = 8;
pub(crate) const WIDTH: usize = 16;

/// `len` values in `[-1, 1]` that look random.
fn wave(len: usize, pace: f32) -> Tensor<1> {
    let ramp = Tensor::<1, Int>::arange(0..len as i64, &Device::flex()).float();
    ((ramp + 1.0).log() * pace * 1000.0).sin()
}

/// Logits `[0, w . x + offset]`.
pub(crate) struct Linear {
    pub(crate) weights: Tensor<2>,
    pub(crate) offset: f32,
}

impl Linear {
    pub(crate) fn new(offset: f32) -> Self {
        let len = 3 * HEIGHT * WIDTH;
        Self { weights: wave(len, 1.3).reshape([len, 1]), offset }
    }
}

impl Classifier for Linear {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let batch = images.dims()[0];
        let weights = self.weights.clone().to_device(&images.device());
        let weights = if images.device().is_autodiff() {
            Tensor::from_inner(self.weights.clone())
        } else {
            weights
        };
        let z = images.reshape([batch, 3 * HEIGHT * WIDTH]).matmul(weights) + self.offset;
        Tensor::cat(vec![z.zeros_like(), z], 1)
    }
}

impl Differentiable for Linear {}

/// A convolution, GELU, pooling by quarters, a linear layer.
pub(crate) struct Network {
    kernel: Tensor<4>,
    head: Tensor<2>,
}

impl Network {
    pub(crate) fn new() -> Self {
        Self {
            kernel: wave(6 * 27, 0.7).reshape([6, 3, 3, 3]),
            head: wave(6 * 2, 2.1).reshape([6, 2]),
        }
    }
}

impl Classifier for Network {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let batch = images.dims()[0];
        let (mut kernel, mut head) = (self.kernel.clone(), self.head.clone());
        if images.device().is_autodiff() {
            (kernel, head) = (Tensor::from_inner(kernel), Tensor::from_inner(head));
        }
        let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
        let maps = activation::tanh(conv2d(images - 0.5, kernel, None, options));
        let [_, channels, height, width] = maps.dims();
        let pooled = maps.reshape([batch, channels, height * width]).mean_dim(2);
        pooled.reshape([batch, channels]).matmul(head) * 40.0
    }
}

impl Differentiable for Network {}

/// `n` pictures, labelled as `model` sees them.
pub(crate) fn samples(model: &dyn Classifier, n: usize) -> Samples {
    let len = n * 3 * HEIGHT * WIDTH;
    let images = (wave(len, 0.9) * 0.4 + 0.5).reshape([n, 3, HEIGHT, WIDTH]);
    let logits = model.logits(images.clone()).into_data().try_to_vec::<f32>().expect("f32");
    let label = |pair: &[f32]| if pair[1] > pair[0] { Label::Fake } else { Label::Real };
    let labels = logits.chunks_exact(2).map(label).collect();
    Samples::new(images, labels, (0..n as u64).map(|i| 100 + i).collect())
}

pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().try_to_vec().expect("f32")
}
