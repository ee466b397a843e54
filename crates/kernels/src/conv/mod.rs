//! Convolutions: 3x3 over all channels, and 3x3 or 5x5 of every channel by itself.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, module, ops::ConvOptions};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::backward::propagate;
use crate::buffer;
use crate::gemm::{Products, products};
use crate::simd;

pub(crate) mod dense;
pub(crate) mod depthwise;
mod geometry;
mod images;
mod winograd;

/// Convolution with 3x3 filters, padding 1, `stride` 1 or 2.
///
/// `x` is `[batch, height, width, in]`, `weight` `[out, in, 3, 3]`, `bias` `[out]`; returns
/// `[batch, ceil(height / stride), ceil(width / stride), out]`. Products are those of
/// [`with_products`](crate::with_products).
///
/// # Panics
/// If `stride` is neither 1 nor 2, or the shapes do not fit.
#[must_use]
pub fn conv3x3(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
) -> Tensor<4> {
    let [n_out, ..] = weight.dims();
    assert_eq!(weight.dims(), [n_out, x.dims()[3], 3, 3], "3x3 filters over the input's channels");
    run(x, weight, bias, stride, false)
}

/// Convolution of every channel with a filter of its own, of 3x3 or 5x5, whose result has the size of `x` divided by
/// `stride`, 1 or 2.
///
/// `x` is `[batch, height, width, channels]`, `weight` `[channels, 1, side, side]`, `bias` `[channels]`; the padding
/// is `side / 2`.
/// Returns `[batch, ceil(height / stride), ceil(width / stride), channels]`.
///
/// # Panics
/// If `side` is neither 3 nor 5, `stride` is neither 1 nor 2, or the shapes do not fit.
#[must_use]
pub fn depthwise_conv(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
) -> Tensor<4> {
    let side = weight.dims()[2];
    assert!(matches!(side, 3 | 5), "a filter is 3x3 or 5x5");
    assert_eq!(weight.dims(), [x.dims()[3], 1, side, side], "one filter a channel");
    run(x, weight, bias, stride, true)
}

fn run(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    depthwise: bool,
) -> Tensor<4> {
    assert!(matches!(stride, 1 | 2), "the stride is 1 or 2");
    let n_out = weight.dims()[0];
    if let Some(bias) = &bias {
        assert_eq!(bias.dims(), [n_out], "one bias an output");
    }
    if !buffer::is_fast(&x) {
        let out = composed(x, weight, stride, if depthwise { n_out } else { 1 });
        return match bias {
            Some(bias) => out + bias.reshape([1, 1, 1, n_out]),
            None => out,
        };
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias.map(Tensor::into_dispatch) {
        Some(bias) => <Dispatch as ConvOps>::convolve_biased(x, weight, bias, stride, depthwise),
        None => <Dispatch as ConvOps>::convolve(x, weight, stride, depthwise),
    })
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
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self>;

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self>;
}

impl ConvOps for Flex {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        forward(&x, &weight, None, stride, depthwise)
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        forward(&x, &weight, Some(bias), stride, depthwise)
    }
}

impl<C: CheckpointStrategy> ConvOps for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let output = forward(&x, &weight, None, stride, depthwise);
        match ConvBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish(Saved { x, weight, stride, depthwise, products: products() }, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn convolve_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        depthwise: bool,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let output = forward(&x, &weight, Some(bias), stride, depthwise);
        let nodes = [x_node, weight_node, bias_node];
        match ConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                prep.finish(Saved { x, weight, stride, depthwise, products: products() }, output)
            }
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
    products: Products,
}

#[derive(Debug)]
struct ConvBackward;

/// `N` is 3 with a bias and 2 without.
impl<const N: usize> Backward<Flex, N> for ConvBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |saved, grad, tracked| {
            let Saved { x, weight, stride, depthwise, products } = saved;
            let mut wanted = [false; 3];
            wanted[..N].copy_from_slice(&tracked);
            let grad = buffer::contiguous(grad);
            let bias_grad = wanted[2].then(|| sum_pixels(&grad));
            let wanted = [wanted[0], wanted[1]];
            let [x, weight] = if depthwise {
                depthwise::backward(&x, &weight, grad, stride, wanted)
            } else {
                dense::backward(&x, &weight, grad, stride, products, wanted)
            };
            [x, weight, bias_grad]
        });
    }
}

fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<FlexTensor>,
    stride: usize,
    depthwise: bool,
) -> FlexTensor {
    let bias = bias.map(buffer::contiguous);
    let bias = bias.as_ref().map(buffer::values);
    let forward = if depthwise { depthwise::forward } else { dense::forward };
    forward(x, weight, bias, stride)
}

/// The sum of a gradient over all pixels: that of a bias.
fn sum_pixels(grad: &FlexTensor) -> FlexTensor {
    let shape = grad.shape();
    let (values, n_out) = (buffer::values(grad), shape[3]);
    let sums = values.par_chunks((values.len() / shape[0]).max(1)).map(|image| {
        let mut sums = vec![0.0; n_out];
        simd::add_rows(image, &mut sums);
        sums
    });
    buffer::tensor(buffer::sum_parts(sums.collect()), [n_out])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::{composed, conv3x3, depthwise_conv};
    use crate::check::{assert_close, assert_same_gradients, random};
    use crate::gemm::{Products, with_products};

    /// Sums of up to 400 products of magnitude 1.
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
        let both: [Convolution; 2] =
            [|x, w, stride| conv3x3(x, w, None, stride), |x, w, stride| composed(x, w, stride, 1)];
        for (height, width, n_in, n_out, stride) in [
            (5, 7, 3, 11, 1),
            (5, 7, 3, 11, 2),
            (20, 24, 8, 17, 2),
            (2, 1, 5, 4, 1),
            (12, 26, 37, 41, 1),
        ] {
            let (x_shape, w_shape) = ([3, height, width, n_in], [n_out, n_in, 3, 3]);
            assert_agrees(x_shape, w_shape, stride, DENSE_LIMIT, both);
        }
    }

    #[test]
    fn a_bias_adds_to_every_pixel() {
        let device = Device::flex().autodiff();
        let x_shape = [3, 5, 7, 11];
        type Biased = fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>;
        let added = |y: Tensor<4>, b: Tensor<1>| y + b.reshape([1, 1, 1, 11]);
        let cases: [([usize; 4], Biased, usize); 2] = [
            ([11, 11, 3, 3], |x, w, b| conv3x3(x, w, Some(b), 2), 1),
            ([11, 1, 5, 5], |x, w, b| depthwise_conv(x, w, Some(b), 2), 11),
        ];
        for (w_shape, ours, n_groups) in cases {
            assert_same_gradients(
                [
                    random([x_shape.iter().product()], 1.0, 1, &device),
                    random([w_shape.iter().product()], 1.0, 2, &device),
                    random([11], 1.0, 3, &device),
                ],
                DENSE_LIMIT,
                |[x, w, b]| ours(x.reshape(x_shape), w.reshape(w_shape), b),
                |[x, w, b]| added(composed(x.reshape(x_shape), w.reshape(w_shape), 2, n_groups), b),
            );
        }
    }

    /// Operands that bf16 holds give the same products in both.
    #[test]
    fn products_in_bf16_are_those_of_rounded_operands() {
        let device = Device::flex().autodiff();
        let small = |shape: [usize; 4], seed| {
            (random::<4>(shape, 8.0, seed, &device).round() / 8.0).require_grad()
        };
        let results = |products| {
            let (x, weight) = (small([2, 6, 5, 9], 1), small([7, 9, 3, 3], 2));
            let out = with_products(products, || conv3x3(x.clone(), weight.clone(), None, 1));
            let weights = small([2, 6, 5, 7], 3).detach();
            let grads = (out.clone() * weights).sum().backward();
            let grad = |of: &Tensor<4>| of.grad(&grads).expect("tracked");
            [out.inner(), grad(&x), grad(&weight)]
        };
        let (single, half) = (results(Products::F32), results(Products::Bf16));
        for (name, (a, b)) in ["output", "input", "weight"].iter().zip(single.iter().zip(&half)) {
            assert_close(name, a, b, 1e-5);
        }
        // Other operands are rounded, so that their products differ.
        let third = || random::<4>([1, 4, 4, 3], 1.0, 4, &Device::flex()) / 3.0;
        let weight = || random::<4>([2, 3, 3, 3], 1.0, 5, &Device::flex()) / 3.0;
        let out = |p| with_products(p, || conv3x3(third(), weight(), None, 1));
        let most = (out(Products::F32) - out(Products::Bf16)).abs().max().into_scalar::<f32>();
        assert!((1e-5..0.1).contains(&most), "{most}");
    }

    #[test]
    fn depthwise_values_and_gradients_agree_with_burn() {
        let both: [Convolution; 2] = [
            |x, w, stride| depthwise_conv(x, w, None, stride),
            |x, w, stride| {
                let n = x.dims()[3];
                composed(x, w, stride, n)
            },
        ];
        for (height, width, channels, stride) in
            [(5, 7, 43, 1), (5, 7, 43, 2), (6, 4, 32, 2), (2, 1, 3, 1), (1, 3, 9, 2)]
        {
            for side in [3, 5] {
                let (x_shape, w_shape) = ([3, height, width, channels], [channels, 1, side, side]);
                assert_agrees(x_shape, w_shape, stride, DEPTHWISE_LIMIT, both);
            }
        }
    }

    #[test]
    fn untracked_input_leaves_the_weight_gradient() {
        let device = Device::flex().autodiff();
        let x = random::<4>([2, 4, 6, 3], 1.0, 1, &device);
        let weight = random::<4>([5, 3, 3, 3], 1.0, 2, &device).require_grad();
        let gradient = |y: Tensor<4>| weight.grad(&y.sum().backward()).expect("tracked");
        let ours = gradient(conv3x3(x.clone(), weight.clone(), None, 2));
        let theirs = gradient(composed(x, weight.clone(), 2, 1));
        assert_close("gradient", &ours, &theirs, DENSE_LIMIT);
    }
}
