//! Layers of the UNet of ADM; maps are `[batch, channels, height, width]`.

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation};

use super::UNetConfig;

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
        let [batch, channels, height, width] = x.dims();
        match self {
            Self::Halve => {
                let (height, width) = (height / 2, width / 2);
                let cells = x.reshape([batch * channels, height, 2, width, 2]);
                cells.mean_dim(2).mean_dim(4).reshape([batch, channels, height, width])
            }
            Self::Double => {
                let cells = x.reshape([batch * channels, height, 1, width, 1]);
                let doubled = cells.repeat_dim(2, 2).repeat_dim(4, 2);
                doubled.reshape([batch, channels, 2 * height, 2 * width])
            }
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

    /// `x` is `[batch, channels, height, width]`, `time` the embedding behind its activation,
    /// `[batch, 4 * model_channels]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<4>,
        time: Tensor<2>,
        resize: Option<Resize>,
    ) -> Tensor<4> {
        let resized = |x: Tensor<4>| resize.map_or(x.clone(), |resize| resize.apply(x));
        let branch = resized(activation::silu(self.norm_in.forward(x.clone())));
        let branch = self.conv_in.forward(branch);
        let time = self.embed.forward(time);
        let [batch, width] = time.dims();
        let time: Tensor<4> = time.reshape([batch, width, 1, 1]);
        let branch = if self.scale_shift {
            let (scale, shift) =
                (time.clone().narrow(1, 0, width / 2), time.narrow(1, width / 2, width / 2));
            self.norm_out.forward(branch) * (scale + 1.0) + shift
        } else {
            self.norm_out.forward(branch + time)
        };
        let x = resized(x);
        let shortcut = match &self.skip {
            Some(skip) => skip.forward(x),
            None => x,
        };
        shortcut + self.conv_out.forward(activation::silu(branch))
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
        let [batch, width, height, breadth] = x.dims();
        let (n, heads, depth) = (height * breadth, self.heads, width / self.heads);
        let flat: Tensor<3> = x.clone().reshape([batch, width, n]);
        let qkv = self.qkv.forward(self.norm.forward(flat));
        // The older order holds queries, keys and values of one head side by side.
        let qkv: Tensor<5> = if self.new_order {
            qkv.reshape([batch, 3, heads, depth, n])
        } else {
            qkv.reshape([batch, heads, 3, depth, n]).swap_dims(1, 2)
        };
        let part = |idx| qkv.clone().narrow(1, idx, 1).reshape([batch, heads, depth, n]);
        let (q, k, v): (Tensor<4>, Tensor<4>, Tensor<4>) = (part(0), part(1), part(2));
        let similarity = q.swap_dims(2, 3).matmul(k) / (depth as f64).sqrt();
        let mixed = v.matmul(activation::softmax(similarity, 3).swap_dims(2, 3));
        let answer = self.proj_out.forward(mixed.reshape([batch, width, n]));
        x + answer.reshape([batch, width, height, breadth])
    }
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
        self.conv.forward(if resize == Resize::Double { resize.apply(x) } else { x })
    }
}
