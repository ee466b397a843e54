//! Layers of maps `[batch, height, width, channels]`, which detectors share.

use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use cifake_kernels::{conv3x3, group_norm, group_norm_silu, linear_t};

/// The output of `conv` for `x`. 3x3 filters with padding 1 and 1x1 filters are fast.
pub(crate) fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [n_out, n_in, kernel, _] = conv.weight.dims();
    let bias = || conv.bias.as_ref().map(|bias| bias.val());
    match kernel {
        1 => linear_t(x, conv.weight.val().reshape([n_out, n_in]), bias()),
        3 => conv3x3(x, conv.weight.val(), bias(), conv.stride[0]),
        _ => channels_last(conv.forward(channels_first(x))),
    }
}

/// The output of `conv`, 3x3 of stride 2, for `x` padded with zeros on the right and below alone.
pub(crate) fn halved(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let device = x.device();
    // Behind a row and a column of zeros, the results but the first are those of the other padding.
    let x = Tensor::cat(vec![Tensor::zeros([batch, 1, width, channels], &device), x], 1);
    let x = Tensor::cat(vec![Tensor::zeros([batch, height + 1, 1, channels], &device), x], 2);
    convolve(conv, x).narrow(1, 1, height / 2).narrow(2, 1, width / 2)
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

#[cfg(test)]
mod tests {
    use burn::nn::GroupNormConfig;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::{Device, Distribution};

    use super::*;

    fn random(shape: [usize; 4]) -> Tensor<4> {
        let device = Device::flex();
        device.seed(1);
        Tensor::random(shape, Distribution::Default, &device)
    }

    fn largest(difference: Tensor<4>) -> f32 {
        difference.abs().max().into_scalar::<f32>()
    }

    #[test]
    fn norm_is_that_of_burn_in_another_order() {
        let device = Device::flex();
        let mut norm = GroupNormConfig::new(2, 6).init(&device);
        let affine = |low, high| {
            let values = Tensor::<1>::random([6], Distribution::Uniform(low, high), &device);
            burn::module::Param::from_tensor(values)
        };
        (norm.gamma, norm.beta) = (Some(affine(0.5, 2.0)), Some(affine(-1.0, 1.0)));
        let x = random([2, 6, 4, 3]);
        let theirs = norm.forward(x.clone());
        let ours = channels_first(normalized(&norm, channels_last(x)));
        assert!(largest(ours - theirs) < 1e-5);
    }

    #[test]
    fn halving_pads_the_end_alone() {
        let device = Device::flex();
        let conv = Conv2dConfig::new([2, 3], [3, 3]).with_stride([2, 2]).init(&device);
        let x = random([2, 4, 6, 2]);
        let below = Tensor::cat(vec![x.clone(), Tensor::zeros([2, 1, 6, 2], &device)], 1);
        let padded = Tensor::cat(vec![below, Tensor::zeros([2, 5, 1, 2], &device)], 2);
        let theirs = channels_last(conv.forward(channels_first(padded)));
        let ours = halved(&conv, x);
        assert_eq!(ours.dims(), [2, 2, 3, 3]);
        assert!(largest(ours - theirs) < 1e-5);
    }
}
