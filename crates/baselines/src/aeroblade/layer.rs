//! Layers of the autoencoders and of LPIPS. Maps are `[batch, height, width, channels]`.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};

/// 3x3, of the same size, with a bias.
pub(super) fn same_size(n_in: usize, n_out: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([n_in, n_out], [3, 3]);
    config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
}

/// The greatest of each 2x2 values; a last odd row or column is left out.
pub(super) fn pooled(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let (rows, columns) = (height / 2, width / 2);
    let x = x.narrow(1, 0, 2 * rows).narrow(2, 0, 2 * columns);
    let pairs: Tensor<4> = x.reshape([batch * rows, 2, columns, 2 * channels]);
    let x = pairs.clone().narrow(1, 0, 1).max_pair(pairs.narrow(1, 1, 1));
    let greatest = x.clone().narrow(3, 0, channels).max_pair(x.narrow(3, channels, channels));
    greatest.reshape([batch, rows, columns, channels])
}
