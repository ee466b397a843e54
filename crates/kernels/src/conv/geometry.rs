//! Sizes of the feature maps of a convolution.

use burn::backend::TensorMetadata;
use burn_flex::FlexTensor;

use crate::buffer;

/// Sizes of the feature maps.
#[derive(Clone, Copy)]
pub(super) struct Geometry {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    pub(super) stride: usize,
    /// Height and width of the filters, odd.
    pub(super) side: usize,
}

impl Geometry {
    pub(super) fn new(x: &FlexTensor, weight: &FlexTensor, stride: usize) -> Self {
        let (shape, filters) = (x.shape(), weight.shape());
        let (n_out, side) = (filters[0], filters[2]);
        Self { height: shape[1], width: shape[2], n_in: shape[3], n_out, stride, side }
    }

    pub(super) fn out_height(self) -> usize {
        self.height.div_ceil(self.stride)
    }

    pub(super) fn out_width(self) -> usize {
        self.width.div_ceil(self.stride)
    }

    pub(super) fn image_len(self) -> usize {
        self.height * self.width * self.n_in
    }

    pub(super) fn out_row_len(self) -> usize {
        self.out_width() * self.n_out
    }

    pub(super) fn out_image_len(self) -> usize {
        self.out_height() * self.out_row_len()
    }

    pub(super) fn output(self, values: Vec<f32>) -> FlexTensor {
        let batch = values.len() / self.out_image_len();
        buffer::tensor(values, [batch, self.out_height(), self.out_width(), self.n_out])
    }
}
