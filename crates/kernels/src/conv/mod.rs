//! 3x3 convolutions: over all channels, and of every channel by itself.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, module, ops::ConvOptions};
use burn_flex::FlexTensor;

use crate::backward::propagate;
use crate::buffer;

pub(crate) mod dense;
pub(crate) mod depthwise;
mod geometry;
mod images;

/// Convolution with 3x3 filters, padding 1, `stride` 1 or 2.
///
/// `x` is `[batch, height, width, in]`, `weight` `[out, in, 3, 3]`; returns
/// `[batch, ceil(height / stride), ceil(width / stride), out]`.
///
/// # Panics
/// If `stride` is neither 1 nor 2, or the shapes do not fit.
#[must_use]
pub fn conv3x3(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let [n_out, ..] = weight.dims();
    assert_eq!(weight.dims(), [n_out, x.dims()[3], 3, 3], "3x3 filters over the input's channels");
    convolve(x, weight, stride, false)
}

/// Convolution of every channel with a filter of its own, padding 1, `stride` 1 or 2.
///
/// `x` is `[batch, height, width, channels]`, `weight` `[channels, 1, 3, 3]`; returns
/// `[batch, ceil(height / stride), ceil(width / stride), channels]`.
///
/// # Panics
/// If `stride` is neither 1 nor 2, or the shapes do not fit.
#[must_use]
pub fn depthwise_conv3x3(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    assert_eq!(weight.dims(), [x.dims()[3], 1, 3, 3], "one 3x3 filter a channel");
    convolve(x, weight, stride, true)
}

fn convolve(x: Tensor<4>, weight: Tensor<4>, stride: usize, depthwise: bool) -> Tensor<4> {
    assert!(matches!(stride, 1 | 2), "the stride is 1 or 2");
    if !buffer::is_fast(&x) {
        let n_groups = if depthwise { x.dims()[3] } else { 1 };
        return composed(x, weight, stride, n_groups);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as ConvOps>::convolve3x3(x, weight, stride, depthwise))
}

/// The convolution by burn's own operation, for a square kernel of odd width; padding is half of it.
pub(crate) fn composed(
    x: Tensor<4>,
    weight: Tensor<4>,
    stride: usize,
    n_groups: usize,
) -> Tensor<4> {
    let padding = weight.dims()[2] / 2;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], n_groups);
    module::conv2d(x.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1])
}

#[backend_extension(Flex, Autodiff)]
trait ConvOps: Backend {
    fn convolve3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self>;
}

impl ConvOps for Flex {
    fn convolve3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        let forward = if depthwise { depthwise::forward } else { dense::forward };
        forward(&x, &weight, stride)
    }
}

impl<C: CheckpointStrategy> ConvOps for Autodiff<Flex, C> {
    fn convolve3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let output = Flex::convolve3x3(x.clone(), weight.clone(), stride, depthwise);
        match ConvBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(Saved { x, weight, stride, depthwise }, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    weight: FlexTensor,
    stride: usize,
    depthwise: bool,
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<Flex, 2> for ConvBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |Saved { x, weight, stride, depthwise }, grad, wanted| {
            let backward = if depthwise { depthwise::backward } else { dense::backward };
            backward(&x, &weight, grad, stride, wanted)
        });
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::{composed, conv3x3, depthwise_conv3x3};
    use crate::check::{assert_close, assert_same_gradients, random};

    /// Sums of up to 360 products of magnitude 1.
    const DENSE_LIMIT: f32 = 1e-4;
    /// Sums of up to 126 products of magnitude 1.
    const DEPTHWISE_LIMIT: f32 = 3e-5;

    type Convolution = fn(Tensor<4>, Tensor<4>, usize) -> Tensor<4>;

    #[track_caller]
    fn assert_agrees(
        x_shape: [usize; 4],
        w_shape: [usize; 4],
        stride: usize,
        limit: f32,
        [ours, theirs]: [Convolution; 2],
    ) {
        let device = Device::flex().autodiff();
        assert_same_gradients(
            [
                random([x_shape.iter().product()], 1.0, 1, &device),
                random([w_shape.iter().product()], 1.0, 2, &device),
            ],
            limit,
            |[x, w]| ours(x.reshape(x_shape), w.reshape(w_shape), stride),
            |[x, w]| theirs(x.reshape(x_shape), w.reshape(w_shape), stride),
        );
    }

    #[test]
    fn dense_values_and_gradients_agree_with_burn() {
        let both: [Convolution; 2] = [conv3x3, |x, w, stride| composed(x, w, stride, 1)];
        for (height, width, n_in, n_out, stride) in
            [(5, 7, 3, 11, 1), (5, 7, 3, 11, 2), (20, 24, 8, 17, 2), (2, 1, 5, 4, 1)]
        {
            let (x_shape, w_shape) = ([3, height, width, n_in], [n_out, n_in, 3, 3]);
            assert_agrees(x_shape, w_shape, stride, DENSE_LIMIT, both);
        }
    }

    #[test]
    fn depthwise_values_and_gradients_agree_with_burn() {
        let both: [Convolution; 2] = [depthwise_conv3x3, |x, w, stride| {
            let n = x.dims()[3];
            composed(x, w, stride, n)
        }];
        for (height, width, channels, stride) in
            [(5, 7, 43, 1), (5, 7, 43, 2), (6, 4, 32, 2), (2, 1, 3, 1), (1, 3, 9, 2)]
        {
            let (x_shape, w_shape) = ([3, height, width, channels], [channels, 1, 3, 3]);
            assert_agrees(x_shape, w_shape, stride, DEPTHWISE_LIMIT, both);
        }
    }

    #[test]
    fn untracked_input_leaves_the_weight_gradient() {
        let device = Device::flex().autodiff();
        let x = random::<4>([2, 4, 6, 3], 1.0, 1, &device);
        let weight = random::<4>([5, 3, 3, 3], 1.0, 2, &device).require_grad();
        let gradient = |y: Tensor<4>| weight.grad(&y.sum().backward()).expect("tracked");
        let ours = gradient(conv3x3(x.clone(), weight.clone(), 2));
        let theirs = gradient(composed(x, weight.clone(), 2, 1));
        assert_close("gradient", &ours, &theirs, DENSE_LIMIT);
    }
}
