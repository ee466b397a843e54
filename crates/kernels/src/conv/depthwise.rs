//! Convolution of every channel by itself, as loops over contiguous channels.

use burn::backend::TensorMetadata;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::geometry::Geometry;
use super::images::differentiate_images;
use crate::buffer;

mod kernel;

use kernel::{forward_row, input_gradient, weight_gradient};

/// `[channels, 1, side, side]` as `[taps, channels]`.
pub(crate) fn taps_first(weight: &[f32], channels: usize) -> Vec<f32> {
    let n_taps = weight.len() / channels;
    (0..weight.len()).map(|i| weight[(i % channels) * n_taps + i / channels]).collect()
}

pub(super) fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&[f32]>,
    stride: usize,
) -> FlexTensor {
    let x = x.to_contiguous();
    let geometry = Geometry::new(&x, weight, stride);
    let batch = x.shape()[0];
    let weight = taps_first(buffer::values(&weight.to_contiguous()), geometry.n_out);
    let mut out = buffer::scratch(batch * geometry.out_image_len());
    let images = buffer::values(&x);
    out.par_chunks_mut(geometry.out_row_len()).enumerate().for_each(|(row, out)| {
        let (image, oy) = (row / geometry.out_height(), row % geometry.out_height());
        let image = &images[image * geometry.image_len()..][..geometry.image_len()];
        forward_row(image, &weight, bias, oy, geometry, out);
    });
    geometry.output(out)
}

/// Gradients of the input and the weight, where `wanted`.
pub(super) fn backward(
    x: &FlexTensor,
    weight: &FlexTensor,
    grad: FlexTensor,
    stride: usize,
    wanted: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let geometry = Geometry::new(x, weight, stride);
    let taps = taps_first(buffer::values(&weight.to_contiguous()), geometry.n_out);
    let (x_grad, weight_grad) = differentiate_images(
        x,
        grad,
        geometry,
        taps.len(),
        wanted,
        || (),
        |image, ()| {
            if let Some(sums) = image.weight_grad {
                weight_gradient(image.x, image.grad, geometry, sums);
            }
            if let Some(out) = image.x_grad {
                input_gradient(image.grad, &taps, geometry, out);
            }
        },
    );
    let weight_grad = weight_grad.map(|sums| {
        let Geometry { n_out: channels, side, .. } = geometry;
        let n_taps = side * side;
        let place = |i: usize| (i % n_taps) * channels + i / n_taps;
        let sums = (0..sums.len()).map(|i| sums[place(i)]).collect();
        buffer::tensor(sums, [channels, 1, side, side])
    });
    [x_grad, weight_grad]
}
