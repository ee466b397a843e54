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
use crate::simd::{InstructionSet, multiversion};

/// Taps of a 3x3 filter.
const TAPS: usize = 9;
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

/// Sizes of the feature maps.
#[derive(Clone, Copy)]
struct Geometry {
    height: usize,
    width: usize,
    channels: usize,
    stride: usize,
}

impl Geometry {
    fn new(x: &FlexTensor, stride: usize) -> Self {
        let shape = x.shape();
        Self { height: shape[1], width: shape[2], channels: shape[3], stride }
    }

    fn out_height(self) -> usize {
        self.height.div_ceil(self.stride)
    }

    fn out_width(self) -> usize {
        self.width.div_ceil(self.stride)
    }

    fn image_len(self) -> usize {
        self.height * self.width * self.channels
    }

    fn out_row_len(self) -> usize {
        self.out_width() * self.channels
    }

    fn out_image_len(self) -> usize {
        self.out_height() * self.out_row_len()
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

/// Pixels that one result sums over: offset of the source pixel, offset of the tap's weights.
struct Sources {
    pairs: [(usize, usize); TAPS],
    len: usize,
}

impl Sources {
    const fn new() -> Self {
        Self { pairs: [(0, 0); TAPS], len: 0 }
    }

    #[inline(always)]
    fn push(&mut self, source: usize, tap: usize) {
        self.pairs[self.len] = (source, tap);
        self.len += 1;
    }

    /// `out = Σ source * tap`, over all channels.
    #[inline(always)]
    fn gather<I: InstructionSet>(&self, source: &[f32], taps: &[f32], out: &mut [f32]) {
        let channels = out.len();
        let mut c = 0;
        while c + 32 <= channels {
            self.gather_block::<I, 32>(source, taps, c, out);
            c += 32;
        }
        while c + 8 <= channels {
            self.gather_block::<I, 8>(source, taps, c, out);
            c += 8;
        }
        while c < channels {
            self.gather_block::<I, 1>(source, taps, c, out);
            c += 1;
        }
    }

    #[inline(always)]
    fn gather_block<I: InstructionSet, const N: usize>(
        &self,
        source: &[f32],
        taps: &[f32],
        c: usize,
        out: &mut [f32],
    ) {
        let mut sums = [0f32; N];
        for &(from, tap) in &self.pairs[..self.len] {
            let from: &[f32; N] = source[from + c..][..N].try_into().expect("N elements");
            let tap: &[f32; N] = taps[tap + c..][..N].try_into().expect("N elements");
            for i in 0..N {
                sums[i] = I::mul_add(from[i], tap[i], sums[i]);
            }
        }
        out[c..c + N].copy_from_slice(&sums);
    }
}

multiversion! {
    /// One row of the output.
    fn forward_row(image: &[f32], taps: &[f32], oy: usize, geometry: Geometry, out: &mut [f32]) {
        let Geometry { height, width, channels, stride } = geometry;
        for (ox, out) in out.chunks_exact_mut(channels).enumerate() {
            let mut sources = Sources::new();
            for ky in 0..3 {
                let iy = (oy * stride + ky).wrapping_sub(1);
                for kx in 0..3 {
                    let ix = (ox * stride + kx).wrapping_sub(1);
                    if iy < height && ix < width {
                        sources.push((iy * width + ix) * channels, (ky * 3 + kx) * channels);
                    }
                }
            }
            sources.gather::<I>(image, taps, out);
        }
    }
}

multiversion! {
    /// The input gradient of one image.
    fn input_gradient(grad: &[f32], taps: &[f32], geometry: Geometry, out: &mut [f32]) {
        let Geometry { width, channels, stride, .. } = geometry;
        let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
        for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
            let (iy, ix) = (pixel / width, pixel % width);
            let mut sources = Sources::new();
            for ky in 0..3 {
                let y = (iy + 1).wrapping_sub(ky);
                for kx in 0..3 {
                    let x = (ix + 1).wrapping_sub(kx);
                    let (oy, ox) = (y / stride, x / stride);
                    let hit = y % stride == 0 && x % stride == 0;
                    if hit && oy < out_height && ox < out_width {
                        sources.push((oy * out_width + ox) * channels, (ky * 3 + kx) * channels);
                    }
                }
            }
            sources.gather::<I>(grad, taps, out);
        }
    }
}

multiversion! {
    /// Adds the weight gradient `[9, channels]` of one image to `sums`.
    fn weight_gradient(image: &[f32], grad: &[f32], geometry: Geometry, sums: &mut [f32]) {
        let Geometry { height, stride, channels, .. } = geometry;
        for (oy, grad) in grad.chunks_exact(geometry.out_row_len()).enumerate() {
            for ky in 0..3 {
                let iy = (oy * stride + ky).wrapping_sub(1);
                if iy >= height {
                    continue;
                }
                let row = &image[iy * geometry.width * channels..][..geometry.width * channels];
                let sums = &mut sums[ky * 3 * channels..][..3 * channels];
                let mut c = 0;
                while c + 32 <= channels {
                    filter_row_gradient::<I, 32>(row, grad, geometry, c, sums);
                    c += 32;
                }
                while c + 8 <= channels {
                    filter_row_gradient::<I, 8>(row, grad, geometry, c, sums);
                    c += 8;
                }
                while c < channels {
                    filter_row_gradient::<I, 1>(row, grad, geometry, c, sums);
                    c += 1;
                }
            }
        }
    }
}

/// Adds what one row of the input and one of the output contribute to three taps, for the `N`
/// channels from `c`.
#[inline(always)]
fn filter_row_gradient<I: InstructionSet, const N: usize>(
    row: &[f32],
    grad: &[f32],
    geometry: Geometry,
    c: usize,
    sums: &mut [f32],
) {
    let Geometry { width, channels, stride, .. } = geometry;
    let block = |values: &[f32], at: usize| -> [f32; N] {
        values[at + c..][..N].try_into().expect("N elements")
    };
    let mut taps = [block(sums, 0), block(sums, channels), block(sums, 2 * channels)];
    for ox in 0..geometry.out_width() {
        let grad = block(grad, ox * channels);
        let center = ox * stride;
        if center > 0 {
            add_product::<I, N>(&mut taps[0], grad, block(row, (center - 1) * channels));
        }
        add_product::<I, N>(&mut taps[1], grad, block(row, center * channels));
        if center + 1 < width {
            add_product::<I, N>(&mut taps[2], grad, block(row, (center + 1) * channels));
        }
    }
    for (kx, tap) in taps.iter().enumerate() {
        sums[kx * channels + c..][..N].copy_from_slice(tap);
    }
}

#[inline(always)]
fn add_product<I: InstructionSet, const N: usize>(sum: &mut [f32; N], a: [f32; N], b: [f32; N]) {
    for i in 0..N {
        sum[i] = I::mul_add(a[i], b[i], sum[i]);
    }
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
