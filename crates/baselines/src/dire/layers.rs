//! Layers of the UNet of ADM; maps are `[batch, height, width, channels]`.

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use cifake_kernels::{group_norm_silu, linear_t, window_attention};

use super::UNetConfig;
use crate::channels_last::{activated, affine, convolve, doubled, normalized};

/// A change of the map's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resize {
    /// Means of 2x2 pixels, or a convolution of stride 2.
    Halve,
    /// Each pixel twice in both directions.
    Double,
}

impl Resize {
    pub(crate) fn apply(self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, channels] = x.dims();
        match self {
            Self::Halve => {
                let (height, width) = (height / 2, width / 2);
                let cells: Tensor<5> = x.reshape([batch * height, 2, width, 2, channels]);
                cells.mean_dim(1).mean_dim(3).reshape([batch, height, width, channels])
            }
            Self::Double => doubled(x),
        }
    }
}

pub(crate) fn conv3x3([n_in, n_out]: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([n_in, n_out], [3, 3]).with_stride([stride; 2]);
    config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
}

pub(crate) fn norm(config: &UNetConfig, width: usize, device: &Device) -> GroupNorm {
    GroupNormConfig::new(config.num_groups, width).init(device)
}

/// Two convolutions and a shortcut, between which the time enters.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// Before the first convolution.
    pub norm_in: GroupNorm,
    /// The first, 3x3.
    pub conv_in: Conv2d,
    /// Of the time.
    pub embed: Linear,
    /// Before the second convolution.
    pub norm_out: GroupNorm,
    /// The second, 3x3.
    pub conv_out: Conv2d,
    /// 1x1, where the number of channels changes.
    pub skip: Option<Conv2d>,
    #[module(skip)]
    scale_shift: bool,
}

impl ResidualBlock {
    pub(crate) fn new(config: &UNetConfig, [n_in, n_out]: [usize; 2], device: &Device) -> Self {
        let scale_shift = config.use_scale_shift_norm;
        let embedded = if scale_shift { 2 * n_out } else { n_out };
        Self {
            norm_in: norm(config, n_in, device),
            conv_in: conv3x3([n_in, n_out], 1, device),
            embed: LinearConfig::new(config.time_width(), embedded).init(device),
            norm_out: norm(config, n_out, device),
            conv_out: conv3x3([n_out; 2], 1, device),
            skip: (n_in != n_out).then(|| Conv2dConfig::new([n_in, n_out], [1, 1]).init(device)),
            scale_shift,
        }
    }

    /// `x` is `[batch, height, width, channels]`, `time` the embedding behind its activation,
    /// `[batch, 4 * model_channels]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        time: Tensor<2>,
        resize: Option<Resize>,
    ) -> Tensor<4> {
        let resized = |x: Tensor<4>| match resize {
            Some(resize) => resize.apply(x),
            None => x,
        };
        let branch = resized(activated(&self.norm_in, x.clone()));
        let branch = self.activated_with(time, convolve(&self.conv_in, branch));
        let branch = convolve(&self.conv_out, branch);
        let x = resized(x);
        let Some(skip) = &self.skip else { return x + branch };
        let [n_out, n_in, ..] = skip.weight.dims();
        let bias = skip.bias.as_ref().map(|bias| bias.val());
        linear_t(x, skip.weight.val().reshape([n_out, n_in]), bias) + branch
    }

    /// The second norm, in which the time enters, and its activation.
    fn activated_with(&self, time: Tensor<2>, branch: Tensor<4>) -> Tensor<4> {
        let time = self.embed.forward(time);
        let [batch, width] = time.dims();
        if !self.scale_shift {
            return activated(&self.norm_out, branch + time.reshape([batch, 1, 1, width]));
        }
        let [by, to] = [0, 1].map(|half| time.clone().narrow(1, half * width / 2, width / 2));
        let [scale, shift] = affine(&self.norm_out, batch);
        let by = by + 1.0;
        let (scale, shift) = (scale * by.clone(), shift * by + to);
        group_norm_silu(branch, scale, shift, self.norm_out.num_groups, self.norm_out.epsilon)
    }
}

/// Attention of each pixel to all pixels, and a shortcut.
#[derive(Module, Debug)]
pub struct Attention {
    /// Before the projections.
    pub norm: GroupNorm,
    /// To queries, keys and values.
    pub qkv: Conv1d,
    /// Of the heads' answers.
    pub proj_out: Conv1d,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    new_order: bool,
}

impl Attention {
    pub(crate) fn new(config: &UNetConfig, width: usize, device: &Device) -> Self {
        Self {
            norm: norm(config, width, device),
            qkv: Conv1dConfig::new(width, 3 * width, 1).init(device),
            proj_out: Conv1dConfig::new(width, width, 1).init(device),
            heads: config.heads(width),
            new_order: config.use_new_attention_order,
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, channels] = x.dims();
        let (n, heads) = (height * width, self.heads);
        let normal = normalized(&self.norm, x.clone());
        let qkv = pointwise(&self.qkv, normal.reshape([batch, n, channels]));
        // The older order holds queries, keys and values of one head side by side, as the kernel does.
        let qkv = if self.new_order {
            let parts: Tensor<5> = qkv.reshape([batch, n, 3, heads, channels / heads]);
            parts.swap_dims(2, 3).reshape([batch, n, 3 * channels])
        } else {
            qkv
        };
        let no_bias = Tensor::zeros([heads, n, n], &x.device());
        let answer = pointwise(&self.proj_out, window_attention(qkv, no_bias, heads));
        x + answer.reshape([batch, height, width, channels])
    }
}

/// The output of a convolution of one pixel for `x`, `[batch, pixels, channels]`.
fn pointwise(conv: &Conv1d, x: Tensor<3>) -> Tensor<3> {
    let [n_out, n_in, _] = conv.weight.dims();
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    linear_t(x, conv.weight.val().reshape([n_out, n_in]), bias)
}

/// A convolution that changes the map's size: of stride 2, or behind a doubling.
#[derive(Module, Debug)]
pub struct Resample {
    /// 3x3.
    pub conv: Conv2d,
}

impl Resample {
    pub(crate) fn new(width: usize, resize: Resize, device: &Device) -> Self {
        let stride = if resize == Resize::Halve { 2 } else { 1 };
        Self { conv: conv3x3([width; 2], stride, device) }
    }

    pub(crate) fn forward(&self, x: Tensor<4>, resize: Resize) -> Tensor<4> {
        let x = if resize == Resize::Double { resize.apply(x) } else { x };
        convolve(&self.conv, x)
    }
}
