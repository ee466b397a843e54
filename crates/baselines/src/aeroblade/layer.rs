//! Layers of the autoencoders and of LPIPS. Maps are `[batch, height, width, channels]`.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use cifake_kernels::{conv3x3, linear_t};

/// 3x3, of the same size, with a bias.
pub(super) fn same_size(n_in: usize, n_out: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([n_in, n_out], [3, 3]);
    config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
}

/// What `conv` makes of `x`. 3x3 filters with padding 1 and 1x1 filters are fast.
pub(super) fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [n_out, n_in, kernel, _] = conv.weight.dims();
    let bias = || conv.bias.as_ref().map(|bias| bias.val());
    match kernel {
        1 => linear_t(x, conv.weight.val().reshape([n_out, n_in]), bias()),
        3 => biased(conv3x3(x, conv.weight.val(), conv.stride[0]), bias()),
        _ => channels_last(conv.forward(channels_first(x))),
    }
}

/// What `conv`, 3x3 of stride 2, makes of `x` that is padded with zeros on the right and below alone.
pub(super) fn halved(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let device = x.device();
    // Behind a row and a column of zeros, the results but the first are those of the other padding.
    let x = Tensor::cat(vec![Tensor::zeros([batch, 1, width, channels], &device), x], 1);
    let x = Tensor::cat(vec![Tensor::zeros([batch, height + 1, 1, channels], &device), x], 2);
    convolve(conv, x).narrow(1, 1, height / 2).narrow(2, 1, width / 2)
}

/// `x` with every value twice in both directions.
pub(super) fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let apart: Tensor<6> = x.reshape([batch, height, 1, width, 1, channels]);
    let filled = apart.expand([batch, height, 2, width, 2, channels]);
    filled.reshape([batch, 2 * height, 2 * width, channels])
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

/// The group norm.
pub(super) fn normalized(norm: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let groups = norm.num_groups;
    let x: Tensor<3> = x.reshape([batch, height * width, channels]);
    let mean_of_group = |values: Tensor<3>| {
        let of_channels: Tensor<3> = values.mean_dim(1).reshape([batch, groups, channels / groups]);
        let mean = of_channels.mean_dim(2).expand([batch, groups, channels / groups]);
        mean.reshape([batch, 1, channels])
    };
    let centered = x.clone() - mean_of_group(x);
    let variance = mean_of_group(centered.clone() * centered.clone());
    let [gamma, beta] = [&norm.gamma, &norm.beta].map(|part| {
        let part = part.as_ref().expect("a norm of these networks is affine").val();
        part.reshape([1, 1, channels])
    });
    let x = centered * (gamma / (variance + norm.epsilon).sqrt()) + beta;
    x.reshape([batch, height, width, channels])
}

/// `[batch, channels, height, width]` as `[batch, height, width, channels]`.
pub(super) fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// The inverse of [`channels_last`].
pub(super) fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

fn biased(x: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    match bias {
        Some(bias) => x + bias.reshape([1, 1, 1, -1]),
        None => x,
    }
}
