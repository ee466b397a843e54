//! Dense 3x3 convolution.

use crate::conv::dense::{Rows, taps_first};
use crate::gemm::{self, Matrix, Panels, Start, multiply_then};

/// Convolution over all channels, padding 1, stride 1 or 2.
#[derive(Debug, Clone)]
pub struct Conv3x3 {
    panels: Panels,
    bias: Vec<f32>,
    n_in: usize,
    stride: usize,
}

impl Conv3x3 {
    /// Packs a `weight` of `[bias.len(), n_in, 3, 3]`.
    ///
    /// # Panics
    /// If the weight has another size, or `stride` is neither 1 nor 2.
    #[must_use]
    pub fn new(weight: &[f32], bias: &[f32], n_in: usize, stride: usize) -> Self {
        assert!(n_in > 0 && weight.len() == bias.len() * n_in * 9, "3x3 filters over all channels");
        assert!(matches!(stride, 1 | 2), "the stride is 1 or 2");
        let patch_len = 9 * n_in;
        let taps = taps_first(weight, n_in);
        let panels = Panels::pack(Matrix::columns(&taps, patch_len), patch_len, bias.len());
        Self { panels, bias: bias.to_vec(), n_in, stride }
    }

    /// Channels of the output.
    #[must_use]
    pub fn n_out(&self) -> usize {
        self.bias.len()
    }

    /// Pixels between two places of a filter.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Rows of the output from `first` on, as many as `out`, `[rows, ceil(width / stride), n_out]`,
    /// holds, of an `image` of `[height, width, n_in]`; then GELU, if asked. `patches` is scratch
    /// memory, resized as needed.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn apply_rows(
        &self,
        image: &[f32],
        width: usize,
        first: usize,
        gelu: bool,
        patches: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let height = image.len() / (width * self.n_in);
        assert_eq!(image.len(), height * width * self.n_in, "the image is [height, width, n_in]");
        let out_row = width.div_ceil(self.stride) * self.n_out();
        let rows = out.len() / out_row;
        assert_eq!(out.len(), rows * out_row, "the output is [rows, width, n_out]");
        assert!(first + rows <= height.div_ceil(self.stride), "the image has not so many rows");
        let Self { n_in, stride, .. } = *self;
        Rows { height, width, n_in, stride, first, rows }.gather(image, patches);
        let finish = gemm::Finish { shortcut: None, gelu };
        let n_pixels = out.len() / self.n_out();
        let patches = Matrix::rows(patches, 9 * n_in);
        let start = Start::Row(&self.bias);
        multiply_then(n_pixels, patches, &self.panels, start, finish, out, self.n_out());
    }
}
