//! Depthwise 3x3 convolution.

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

use crate::buffer;

mod kernel;

use kernel::{Geometry, TAPS, forward_row, input_gradient, weight_gradient};

/// Image groups whose weight gradients are summed in order, at most.
const MAX_GROUPS: usize = 32;

/// Convolution of every channel with a filter of its own, padding 1, `stride` 1 or 2.
///
/// `x` is `[batch, height, width, channels]`, `weight` `[channels, 1, 3, 3]`; returns
/// `[batch, ceil(height / stride), ceil(width / stride), channels]`.
///
/// # Panics
/// If `stride` is neither 1 nor 2, or the shapes do not fit.
#[must_use]
pub fn depthwise_conv3x3(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let channels = x.dims()[3];
    assert_eq!(weight.dims(), [channels, 1, 3, 3], "one 3x3 filter a channel");
    assert!(matches!(stride, 1 | 2), "the stride is 1 or 2");
    if !buffer::is_fast(&x) {
        let options = ConvOptions::new([stride; 2], [1, 1], [1, 1], channels);
        let planes = x.permute([0, 3, 1, 2]);
        return module::conv2d(planes, weight, None, options).permute([0, 2, 3, 1]);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as DepthwiseOps>::depthwise3x3(x, weight, stride))
}

#[backend_extension(Flex, Autodiff)]
trait DepthwiseOps: Backend {
    fn depthwise3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self>;
}

impl DepthwiseOps for Flex {
    fn depthwise3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        forward(&x, &weight, stride)
    }
}

impl<C: CheckpointStrategy> DepthwiseOps for Autodiff<Flex, C> {
    fn depthwise3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let output = forward(&x, &weight, stride);
        match DepthwiseBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight, stride), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Debug)]
struct DepthwiseBackward;

impl Backward<Flex, 2> for DepthwiseBackward {
    type State = (FlexTensor, FlexTensor, usize);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (x, weight, stride) = ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let results = backward(&x, &weight, grad, stride, wanted);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                grads.register::<Flex>(parent.id, result);
            }
        }
    }
}

/// `[channels, 1, 3, 3]` as `[9, channels]`.
fn taps_first(weight: &FlexTensor) -> Vec<f32> {
    let weight = weight.to_contiguous();
    let weight = buffer::values(&weight);
    let channels = weight.len() / TAPS;
    (0..weight.len()).map(|i| weight[(i % channels) * TAPS + i / channels]).collect()
}

fn forward(x: &FlexTensor, weight: &FlexTensor, stride: usize) -> FlexTensor {
    let x = x.to_contiguous();
    let geometry = Geometry::new(&x, stride);
    let batch = x.shape()[0];
    let weight = taps_first(weight);
    let mut out = buffer::scratch(batch * geometry.out_image_len());
    let images = buffer::values(&x);
    out.par_chunks_mut(geometry.out_row_len()).enumerate().for_each(|(row, out)| {
        let (image, oy) = (row / geometry.out_height(), row % geometry.out_height());
        let image = &images[image * geometry.image_len()..][..geometry.image_len()];
        forward_row(image, &weight, oy, geometry, out);
    });
    let shape = [batch, geometry.out_height(), geometry.out_width(), geometry.channels];
    buffer::tensor(out, shape)
}

/// Gradients of the input and the weight, where `wanted`.
fn backward(
    x: &FlexTensor,
    weight: &FlexTensor,
    grad: FlexTensor,
    stride: usize,
    wanted: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let geometry = Geometry::new(x, stride);
    let (shape, channels) = (x.shape(), geometry.channels);
    let (x, grad) = (x.to_contiguous(), buffer::contiguous(grad));
    let (x, grad) = (buffer::values(&x), buffer::values(&grad));
    let taps = taps_first(weight);
    let group = shape[0].div_ceil(MAX_GROUPS);
    let mut x_grad = buffer::scratch(if wanted[0] { x.len() } else { 0 });
    let mut x_parts: Vec<&mut [f32]> = x_grad.chunks_mut(group * geometry.image_len()).collect();
    x_parts.resize_with(shape[0].div_ceil(group), Default::default);
    let parts: Vec<Vec<f32>> = x_parts
        .into_par_iter()
        .zip(x.par_chunks(group * geometry.image_len()))
        .zip(grad.par_chunks(group * geometry.out_image_len()))
        .map(|((x_grad, x), grad)| {
            let mut sums = vec![0.0; if wanted[1] { taps.len() } else { 0 }];
            let images = x.chunks_exact(geometry.image_len());
            let grads = grad.chunks_exact(geometry.out_image_len());
            for (i, (x, grad)) in images.zip(grads).enumerate() {
                if wanted[1] {
                    weight_gradient(x, grad, geometry, &mut sums);
                }
                if wanted[0] {
                    let out = &mut x_grad[i * geometry.image_len()..][..geometry.image_len()];
                    input_gradient(grad, &taps, geometry, out);
                }
            }
            sums
        })
        .collect();
    let weight_grad = wanted[1].then(|| {
        let sums = buffer::sum_parts(parts);
        let sums = (0..sums.len()).map(|i| sums[(i % TAPS) * channels + i / TAPS]).collect();
        buffer::tensor(sums, [channels, 1, 3, 3])
    });
    [wanted[0].then(|| buffer::tensor(x_grad, shape)), weight_grad]
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, module, ops::ConvOptions};

    use super::depthwise_conv3x3;
    use crate::check::{assert_same_gradients, random};

    /// Sums of up to 126 products of magnitude 1.
    const LIMIT: f32 = 3e-5;

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        for (height, width, channels, stride) in
            [(5, 7, 43, 1), (5, 7, 43, 2), (6, 4, 32, 2), (2, 1, 3, 1), (1, 3, 9, 2)]
        {
            let shape = [3, height, width, channels];
            assert_same_gradients(
                [
                    random([shape.iter().product()], 1.0, 1, &device),
                    random([channels * 9], 1.0, 2, &device),
                ],
                LIMIT,
                |[x, w]| {
                    depthwise_conv3x3(x.reshape(shape), w.reshape([channels, 1, 3, 3]), stride)
                },
                |[x, w]| {
                    let x = x.reshape(shape).permute([0, 3, 1, 2]);
                    let options = ConvOptions::new([stride; 2], [1, 1], [1, 1], channels);
                    module::conv2d(x, w.reshape([channels, 1, 3, 3]), None, options)
                        .permute([0, 2, 3, 1])
                },
            );
        }
    }
}
