//! Dense 3x3 convolution.

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
use crate::gemm::{Matrix, Panels, Start, accumulate_outer, multiply};

/// Taps of a 3x3 filter.
const TAPS: usize = 9;
/// Output pixels whose patches are gathered at once, about.
const TILE_PIXELS: usize = 96;
/// Image groups whose weight gradients are summed in order, at most.
const MAX_GROUPS: usize = 32;

/// Convolution with 3x3 filters, padding 1, `stride` 1 or 2.
///
/// `x` is `[batch, height, width, in]`, `weight` `[out, in, 3, 3]`; returns
/// `[batch, ceil(height / stride), ceil(width / stride), out]`.
///
/// # Panics
/// If `stride` is neither 1 nor 2, or the shapes do not fit.
#[must_use]
pub fn conv3x3(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
    let [n_out, n_in, ..] = weight.dims();
    assert_eq!(weight.dims(), [n_out, x.dims()[3], 3, 3], "3x3 filters over the input's channels");
    assert!(matches!(stride, 1 | 2), "the stride is 1 or 2");
    debug_assert_eq!(n_in, x.dims()[3]);
    if !buffer::is_fast(&x) {
        let options = ConvOptions::new([stride; 2], [1, 1], [1, 1], 1);
        let planes = x.permute([0, 3, 1, 2]);
        return module::conv2d(planes, weight, None, options).permute([0, 2, 3, 1]);
    }
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as ConvOps>::convolve3x3(x, weight, stride))
}

#[backend_extension(Flex, Autodiff)]
trait ConvOps: Backend {
    fn convolve3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self>;
}

impl ConvOps for Flex {
    fn convolve3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        forward(&x, &weight, stride)
    }
}

impl<C: CheckpointStrategy> ConvOps for Autodiff<Flex, C> {
    fn convolve3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let output = forward(&x, &weight, stride);
        match ConvBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, weight, stride), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<Flex, 2> for ConvBackward {
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
    n_in: usize,
    n_out: usize,
    stride: usize,
}

impl Geometry {
    fn new(x: &FlexTensor, weight: &FlexTensor, stride: usize) -> Self {
        let (shape, n_out) = (x.shape(), weight.shape()[0]);
        Self { height: shape[1], width: shape[2], n_in: shape[3], n_out, stride }
    }

    fn out_height(self) -> usize {
        self.height.div_ceil(self.stride)
    }

    fn out_width(self) -> usize {
        self.width.div_ceil(self.stride)
    }

    fn image_len(self) -> usize {
        self.height * self.width * self.n_in
    }

    fn out_row_len(self) -> usize {
        self.out_width() * self.n_out
    }

    fn out_image_len(self) -> usize {
        self.out_height() * self.out_row_len()
    }

    /// Elements under a filter.
    fn patch_len(self) -> usize {
        TAPS * self.n_in
    }

    /// Output rows of a tile.
    fn tile_rows(self) -> usize {
        (TILE_PIXELS / self.out_width()).clamp(1, self.out_height())
    }

    /// Calls `f` for each run of elements in the patches of the output rows from `first`: with its
    /// place there, its length, and its place in the image (`None` in the padding).
    ///
    /// The three taps of a filter row lie side by side in both.
    #[inline(always)]
    fn for_each_run(
        self,
        first: usize,
        rows: usize,
        mut f: impl FnMut(usize, usize, Option<usize>),
    ) {
        let Self { height, width, n_in, stride, .. } = self;
        let mut patch = 0;
        for oy in first..first + rows {
            for ox in 0..self.out_width() {
                let left = usize::from(ox == 0) * n_in;
                let right = (width + 1 - ox * stride).min(3) * n_in;
                for ky in 0..3 {
                    let iy = (oy * stride + ky).wrapping_sub(1);
                    if iy < height {
                        let source = (iy * width + ox * stride) * n_in + left - n_in;
                        f(patch + left, right - left, Some(source));
                        if left > 0 {
                            f(patch, left, None);
                        }
                        if right < 3 * n_in {
                            f(patch + right, 3 * n_in - right, None);
                        }
                    } else {
                        f(patch, 3 * n_in, None);
                    }
                    patch += 3 * n_in;
                }
            }
        }
    }

    /// The patches `[rows * out_width, 9, in]` of the output rows from `first`.
    fn gather(self, image: &[f32], first: usize, rows: usize, patches: &mut Vec<f32>) {
        patches.resize(rows * self.out_width() * self.patch_len(), 0.0);
        self.for_each_run(first, rows, |to, len, from| {
            let to = &mut patches[to..][..len];
            match from {
                Some(from) => to.copy_from_slice(&image[from..][..len]),
                None => to.fill(0.0),
            }
        });
    }

    /// Adds patches back to the pixels they were gathered from.
    fn scatter(self, patches: &[f32], first: usize, rows: usize, image: &mut [f32]) {
        self.for_each_run(first, rows, |from, len, to| {
            if let Some(to) = to {
                let from = &patches[from..][..len];
                for (to, from) in image[to..][..len].iter_mut().zip(from) {
                    *to += from;
                }
            }
        });
    }
}

/// `[out, in, 3, 3]` as `[out, 9, in]`, the order of patches.
fn taps_first(weight: &FlexTensor, geometry: Geometry) -> Vec<f32> {
    let weight = weight.to_contiguous();
    let weight = buffer::values(&weight);
    let (patch_len, n_in) = (geometry.patch_len(), geometry.n_in);
    let source = |i: usize| (i / patch_len) * patch_len + (i % n_in) * TAPS + i % patch_len / n_in;
    (0..weight.len()).map(|i| weight[source(i)]).collect()
}

fn forward(x: &FlexTensor, weight: &FlexTensor, stride: usize) -> FlexTensor {
    let geometry = Geometry::new(x, weight, stride);
    let x = x.to_contiguous();
    let batch = x.shape()[0];
    let images = buffer::values(&x);
    let taps = taps_first(weight, geometry);
    let (patch_len, n_out) = (geometry.patch_len(), geometry.n_out);
    let panels = Panels::pack(Matrix::columns(&taps, patch_len), patch_len, n_out);
    let mut out = buffer::scratch(batch * geometry.out_image_len());
    let tile_rows = geometry.tile_rows();
    let tile_len = tile_rows * geometry.out_row_len();
    let tiles: Vec<(usize, usize, &mut [f32])> = out
        .chunks_exact_mut(geometry.out_image_len())
        .enumerate()
        .flat_map(|(image, out)| {
            out.chunks_mut(tile_len).enumerate().map(move |(i, out)| (image, i * tile_rows, out))
        })
        .collect();
    tiles.into_par_iter().for_each_init(Vec::new, |patches, (image, first, out)| {
        let image = &images[image * geometry.image_len()..][..geometry.image_len()];
        let rows = out.len() / geometry.out_row_len();
        geometry.gather(image, first, rows, patches);
        let pixels = rows * geometry.out_width();
        multiply(pixels, Matrix::rows(patches, patch_len), &panels, Start::Zero, out, n_out);
    });
    buffer::tensor(out, [batch, geometry.out_height(), geometry.out_width(), n_out])
}

/// Gradients of the input and the weight, where `wanted`.
fn backward(
    x: &FlexTensor,
    weight: &FlexTensor,
    grad: FlexTensor,
    stride: usize,
    wanted: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let geometry = Geometry::new(x, weight, stride);
    let (shape, patch_len, n_out) = (x.shape(), geometry.patch_len(), geometry.n_out);
    let (x, grad) = (x.to_contiguous(), buffer::contiguous(grad));
    let (x, grad) = (buffer::values(&x), buffer::values(&grad));
    let taps = taps_first(weight, geometry);
    let panels = wanted[0].then(|| Panels::pack(Matrix::rows(&taps, patch_len), n_out, patch_len));
    let group = shape[0].div_ceil(MAX_GROUPS);
    let mut x_grad = vec![0.0; if wanted[0] { x.len() } else { 0 }];
    let mut x_parts: Vec<&mut [f32]> = x_grad.chunks_mut(group * geometry.image_len()).collect();
    x_parts.resize_with(shape[0].div_ceil(group), Default::default);
    let parts: Vec<Vec<f32>> = x_parts
        .into_par_iter()
        .zip(x.par_chunks(group * geometry.image_len()))
        .zip(grad.par_chunks(group * geometry.out_image_len()))
        .map(|((x_grad, x), grad)| {
            let mut sums = vec![0.0; if wanted[1] { taps.len() } else { 0 }];
            let mut patches = Vec::new();
            let images = x.chunks_exact(geometry.image_len());
            let grads = grad.chunks_exact(geometry.out_image_len());
            for (i, (x, grad)) in images.zip(grads).enumerate() {
                if wanted[1] {
                    weight_gradient(x, grad, geometry, &mut patches, &mut sums);
                }
                if let Some(panels) = &panels {
                    let out = &mut x_grad[i * geometry.image_len()..][..geometry.image_len()];
                    input_gradient(grad, panels, geometry, &mut patches, out);
                }
            }
            sums
        })
        .collect();
    let weight_grad = wanted[1].then(|| {
        let sums = buffer::sum_parts(parts);
        let n_in = geometry.n_in;
        let source =
            |i: usize| (i / patch_len) * patch_len + (i % TAPS) * n_in + i % patch_len / TAPS;
        buffer::tensor((0..sums.len()).map(|i| sums[source(i)]).collect(), [n_out, n_in, 3, 3])
    });
    [wanted[0].then(|| buffer::tensor(x_grad, shape)), weight_grad]
}

/// Adds the weight gradient `[out, 9, in]` of one image to `sums`.
fn weight_gradient(
    image: &[f32],
    grad: &[f32],
    geometry: Geometry,
    patches: &mut Vec<f32>,
    sums: &mut [f32],
) {
    let (patch_len, n_out) = (geometry.patch_len(), geometry.n_out);
    for (i, grad) in grad.chunks(geometry.tile_rows() * geometry.out_row_len()).enumerate() {
        let rows = grad.len() / geometry.out_row_len();
        geometry.gather(image, i * geometry.tile_rows(), rows, patches);
        accumulate_outer(grad, patches, n_out, patch_len, sums);
    }
}

/// Adds the input gradient of one image to `out`.
fn input_gradient(
    grad: &[f32],
    panels: &Panels,
    geometry: Geometry,
    patches: &mut Vec<f32>,
    out: &mut [f32],
) {
    let (patch_len, n_out) = (geometry.patch_len(), geometry.n_out);
    for (i, grad) in grad.chunks(geometry.tile_rows() * geometry.out_row_len()).enumerate() {
        let rows = grad.len() / geometry.out_row_len();
        let pixels = rows * geometry.out_width();
        patches.resize(pixels * patch_len, 0.0);
        multiply(pixels, Matrix::rows(grad, n_out), panels, Start::Zero, patches, patch_len);
        geometry.scatter(patches, i * geometry.tile_rows(), rows, out);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, module, ops::ConvOptions};

    use super::conv3x3;
    use crate::check::{assert_close, assert_same_gradients, random};

    /// Sums of up to 360 products of magnitude 1.
    const LIMIT: f32 = 1e-4;

    fn with_burn(x: Tensor<4>, weight: Tensor<4>, stride: usize) -> Tensor<4> {
        let options = ConvOptions::new([stride; 2], [1, 1], [1, 1], 1);
        module::conv2d(x.permute([0, 3, 1, 2]), weight, None, options).permute([0, 2, 3, 1])
    }

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        for (height, width, n_in, n_out, stride) in
            [(5, 7, 3, 11, 1), (5, 7, 3, 11, 2), (20, 24, 8, 17, 2), (2, 1, 5, 4, 1)]
        {
            let (x_shape, w_shape) = ([3, height, width, n_in], [n_out, n_in, 3, 3]);
            assert_same_gradients(
                [
                    random([x_shape.iter().product()], 1.0, 1, &device),
                    random([w_shape.iter().product()], 1.0, 2, &device),
                ],
                LIMIT,
                |[x, w]| conv3x3(x.reshape(x_shape), w.reshape(w_shape), stride),
                |[x, w]| with_burn(x.reshape(x_shape), w.reshape(w_shape), stride),
            );
        }
    }

    #[test]
    fn untracked_input_leaves_the_weight_gradient() {
        let device = Device::flex().autodiff();
        let x = random::<4>([2, 4, 6, 3], 1.0, 1, &device);
        let weight = random::<4>([5, 3, 3, 3], 1.0, 2, &device).require_grad();
        let ours = weight.grad(&conv3x3(x.clone(), weight.clone(), 2).sum().backward());
        let theirs = weight.grad(&with_burn(x, weight.clone(), 2).sum().backward());
        assert_close("gradient", &ours.expect("tracked"), &theirs.expect("tracked"), LIMIT);
    }
}
