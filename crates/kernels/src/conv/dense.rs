//! Convolution over all channels, as matrix products of gathered patches.

use burn::backend::TensorMetadata;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::geometry::Geometry;
use super::images::differentiate_images;
use super::winograd;
use crate::buffer;
use crate::gemm::{Matrix, Operand, Outer, Products, Start, products};

/// Taps of a filter.
const TAPS: usize = 9;
/// Output pixels whose patches are gathered at once, about.
const TILE_PIXELS: usize = 96;

impl Geometry {
    /// Elements under a filter.
    fn patch_len(self) -> usize {
        TAPS * self.n_in
    }

    /// Output rows of a tile.
    fn tile_rows(self) -> usize {
        (TILE_PIXELS / self.out_width()).clamp(1, self.out_height())
    }

    /// The output rows from `first`.
    fn rows(self, first: usize, rows: usize) -> Rows {
        let Self { height, width, n_in, stride, .. } = self;
        Rows { height, width, n_in, stride, first, rows }
    }
}

/// Some rows of the output and what they are computed from.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// Height of the image.
    pub(crate) height: usize,
    /// Width of the image.
    pub(crate) width: usize,
    /// Channels of the image.
    pub(crate) n_in: usize,
    /// Pixels between two places of a filter.
    pub(crate) stride: usize,
    /// First row of the output.
    pub(crate) first: usize,
    /// Number of rows of the output.
    pub(crate) rows: usize,
}

impl Rows {
    /// Calls `f` for each run of elements in the patches: with its place there, its length, and
    /// its place in the image (`None` in the padding).
    ///
    /// The three taps of a filter row lie side by side in both.
    #[inline(always)]
    fn for_each_run(self, mut f: impl FnMut(usize, usize, Option<usize>)) {
        let Self { height, width, n_in, stride, first, rows } = self;
        let mut patch = 0;
        for oy in first..first + rows {
            for ox in 0..width.div_ceil(stride) {
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

    /// The patches, `[rows * out_width, 9, in]`, of an image.
    pub(crate) fn gather(self, image: &[f32], patches: &mut Vec<f32>) {
        patches.resize(self.rows * self.width.div_ceil(self.stride) * TAPS * self.n_in, 0.0);
        self.for_each_run(|to, len, from| {
            let to = &mut patches[to..][..len];
            match from {
                Some(from) => to.copy_from_slice(&image[from..][..len]),
                None => to.fill(0.0),
            }
        });
    }

    /// Adds patches back to the pixels they were gathered from.
    fn scatter(self, patches: &[f32], image: &mut [f32]) {
        self.for_each_run(|from, len, to| {
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
pub(crate) fn taps_first(weight: &[f32], n_in: usize) -> Vec<f32> {
    let mut taps = vec![0.0; weight.len()];
    let filters = taps.chunks_exact_mut(TAPS * n_in).zip(weight.chunks_exact(TAPS * n_in));
    filters.for_each(|(taps, filter)| transpose(filter, TAPS, taps));
    taps
}

/// Rows of `width` elements as columns.
fn transpose(rows: &[f32], width: usize, columns: &mut [f32]) {
    let height = rows.len() / width;
    for (y, row) in rows.chunks_exact(width).enumerate() {
        for (x, value) in row.iter().enumerate() {
            columns[x * height + y] = *value;
        }
    }
}

pub(super) fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&[f32]>,
    stride: usize,
) -> FlexTensor {
    let geometry = Geometry::new(x, weight, stride);
    let x = x.to_contiguous();
    let batch = x.shape()[0];
    let images = buffer::values(&x);
    let weight = weight.to_contiguous();
    let mut out = buffer::scratch(batch * geometry.out_image_len());
    if products() == Products::F32 && winograd::is_faster(geometry, batch) {
        winograd::forward(images, buffer::values(&weight), bias, geometry, &mut out);
        return geometry.output(out);
    }
    let taps = taps_first(buffer::values(&weight), geometry.n_in);
    let (patch_len, n_out) = (geometry.patch_len(), geometry.n_out);
    let filters = Operand::pack(products(), Matrix::columns(&taps, patch_len), patch_len, n_out);
    let start = bias.map_or(Start::Zero, Start::Row);
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
        geometry.rows(first, rows).gather(image, patches);
        let pixels = rows * geometry.out_width();
        filters.multiply(pixels, patches, start, out, n_out);
    });
    geometry.output(out)
}

/// Gradients of the input and the weight, where `wanted`.
pub(super) fn backward(
    x: &FlexTensor,
    weight: &FlexTensor,
    grad: FlexTensor,
    stride: usize,
    products: Products,
    wanted: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let geometry = Geometry::new(x, weight, stride);
    let (patch_len, n_in, n_out) = (geometry.patch_len(), geometry.n_in, geometry.n_out);
    let taps = taps_first(buffer::values(&weight.to_contiguous()), geometry.n_in);
    let filters = wanted[0]
        .then(|| Operand::pack(products, Matrix::rows(&taps, patch_len), n_out, patch_len));
    let workspace = || Workspace { patches: Vec::new(), outer: Outer::new(products) };
    let (x_grad, weight_grad) = differentiate_images(
        x,
        grad,
        geometry,
        taps.len(),
        wanted,
        workspace,
        |image, workspace| {
            if let Some(sums) = image.weight_grad {
                weight_gradient(image.x, image.grad, geometry, workspace, sums);
            }
            if let (Some(filters), Some(out)) = (&filters, image.x_grad) {
                input_gradient(image.grad, filters, geometry, &mut workspace.patches, out);
            }
        },
    );
    let weight_grad = weight_grad.map(|sums| {
        let mut filters = vec![0.0; sums.len()];
        let pairs = filters.chunks_exact_mut(patch_len).zip(sums.chunks_exact(patch_len));
        pairs.for_each(|(filter, sums)| transpose(sums, n_in, filter));
        buffer::tensor(filters, [n_out, n_in, 3, 3])
    });
    [x_grad, weight_grad]
}

/// Memory that the images of a group share on the way back.
struct Workspace {
    patches: Vec<f32>,
    outer: Outer,
}

/// Adds the weight gradient `[out, 9, in]` of one image to `sums`.
fn weight_gradient(
    image: &[f32],
    grad: &[f32],
    geometry: Geometry,
    workspace: &mut Workspace,
    sums: &mut [f32],
) {
    let Workspace { patches, outer } = workspace;
    let (patch_len, n_out) = (geometry.patch_len(), geometry.n_out);
    for (i, grad) in grad.chunks(geometry.tile_rows() * geometry.out_row_len()).enumerate() {
        let rows = grad.len() / geometry.out_row_len();
        geometry.rows(i * geometry.tile_rows(), rows).gather(image, patches);
        outer.accumulate(grad, patches, n_out, patch_len, sums);
    }
}

/// Writes the input gradient of one image to `out`.
fn input_gradient(
    grad: &[f32],
    filters: &Operand,
    geometry: Geometry,
    patches: &mut Vec<f32>,
    out: &mut [f32],
) {
    let patch_len = geometry.patch_len();
    out.fill(0.0);
    for (i, grad) in grad.chunks(geometry.tile_rows() * geometry.out_row_len()).enumerate() {
        let rows = grad.len() / geometry.out_row_len();
        let pixels = rows * geometry.out_width();
        patches.resize(pixels * patch_len, 0.0);
        filters.multiply(pixels, grad, Start::Zero, patches, patch_len);
        geometry.rows(i * geometry.tile_rows(), rows).scatter(patches, out);
    }
}
