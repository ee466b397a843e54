//! The way back through a convolution, image by image.

use burn::backend::TensorMetadata;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::geometry::Geometry;
use crate::buffer;

/// Image groups whose weight gradients are summed in order, at most.
const MAX_GROUPS: usize = 32;

/// One image on the way back.
pub(super) struct Image<'a> {
    pub(super) x: &'a [f32],
    pub(super) grad: &'a [f32],
    /// The buffer for the input gradient, if it is wanted.
    pub(super) x_grad: Option<&'a mut [f32]>,
    /// The buffer that the weight gradient is added to, if it is wanted.
    pub(super) weight_grad: Option<&'a mut [f32]>,
}

/// Runs `differentiate` on every image, with a `workspace` that its group shares, and returns the
/// gradients of the input and of the weight, of `weight_len` elements, where `wanted`.
pub(super) fn differentiate_images<W>(
    x: &FlexTensor,
    grad: FlexTensor,
    geometry: Geometry,
    weight_len: usize,
    wanted: [bool; 2],
    workspace: impl Fn() -> W + Sync,
    differentiate: impl Fn(Image<'_>, &mut W) + Sync,
) -> (Option<FlexTensor>, Option<Vec<f32>>) {
    let shape = x.shape();
    let (x, grad) = (x.to_contiguous(), buffer::contiguous(grad));
    let (x, grad) = (buffer::values(&x), buffer::values(&grad));
    let (image_len, out_image_len) = (geometry.image_len(), geometry.out_image_len());
    let group = shape[0].div_ceil(MAX_GROUPS);
    let mut x_grad = buffer::scratch(if wanted[0] { x.len() } else { 0 });
    // An empty x_grad still has to come in one part a group.
    let mut x_parts: Vec<&mut [f32]> = x_grad.chunks_mut(group * image_len).collect();
    x_parts.resize_with(shape[0].div_ceil(group), Default::default);
    let parts: Vec<Vec<f32>> = x_parts
        .into_par_iter()
        .zip(x.par_chunks(group * image_len))
        .zip(grad.par_chunks(group * out_image_len))
        .map(|((x_grad, x), grad)| {
            let mut sums = vec![0.0; if wanted[1] { weight_len } else { 0 }];
            let mut workspace = workspace();
            let mut x_grads = x_grad.chunks_exact_mut(image_len);
            for (x, grad) in x.chunks_exact(image_len).zip(grad.chunks_exact(out_image_len)) {
                let weight_grad = wanted[1].then_some(&mut sums[..]);
                differentiate(
                    Image { x, grad, x_grad: x_grads.next(), weight_grad },
                    &mut workspace,
                );
            }
            sums
        })
        .collect();
    (wanted[0].then(|| buffer::tensor(x_grad, shape)), wanted[1].then(|| buffer::sum_parts(parts)))
}
