//! Layers of maps `[batch, height, width, channels]`, which detectors share.

use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use cifake_kernels::{conv3x3, group_norm, group_norm_silu, linear_t};

/// What `conv` makes of `x`. 3x3 filters with padding 1 and 1x1 filters are fast.
pub(crate) fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [n_out, n_in, kernel, _] = conv.weight.dims();
    let bias = || conv.bias.as_ref().map(|bias| bias.val());
    match kernel {
        1 => linear_t(x, conv.weight.val().reshape([n_out, n_in]), bias()),
        3 => biased(conv3x3(x, conv.weight.val(), conv.stride[0]), bias()),
        _ => channels_last(conv.forward(channels_first(x))),
    }
}

/// `x` with every value twice in both directions.
pub(crate) fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let apart: Tensor<6> = x.reshape([batch, height, 1, width, 1, channels]);
    let filled = apart.expand([batch, height, 2, width, 2, channels]);
    filled.reshape([batch, 2 * height, 2 * width, channels])
}

/// The weights of a norm, the same for each of `batch` pictures.
pub(crate) fn affine(norm: &GroupNorm, batch: usize) -> [Tensor<2>; 2] {
    let width = norm.num_channels;
    [&norm.gamma, &norm.beta].map(|part| {
        let part = part.as_ref().expect("a norm of these networks is affine").val();
        part.reshape([1, width]).repeat_dim(0, batch)
    })
}

/// The norm.
pub(crate) fn normalized(norm: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    let [scale, shift] = affine(norm, x.dims()[0]);
    group_norm(x, scale, shift, norm.num_groups, norm.epsilon)
}

/// The norm and SiLU.
pub(crate) fn activated(norm: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    let [scale, shift] = affine(norm, x.dims()[0]);
    group_norm_silu(x, scale, shift, norm.num_groups, norm.epsilon)
}

/// `[batch, channels, height, width]` as `[batch, height, width, channels]`.
pub(crate) fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// The inverse of [`channels_last`].
pub(crate) fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

fn biased(x: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    match bias {
        Some(bias) => x + bias.reshape([1, 1, 1, -1]),
        None => x,
    }
}
