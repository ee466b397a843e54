//! Layers of the encoder; maps are `[batch, height, width, channels]`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use cifake_kernels::{linear, window_attention};

use crate::channels_last::{activated, convolve, normalized};

pub(crate) fn conv([n_in, n_out]: [usize; 2], kernel: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([n_in, n_out], [kernel, kernel]).init(device)
}

/// For [`halved`](crate::channels_last::halved).
pub(crate) fn halving(channels: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([channels; 2], [3, 3]).with_stride([2, 2]).init(device)
}

/// `linear` of the last axis.
pub(crate) fn project<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    linear(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// Group normalization, SiLU and a convolution, twice, and a shortcut.
#[derive(Module, Debug)]
pub struct FftVaeBlock {
    /// Before the first convolution.
    pub norm1: GroupNorm,
    /// The first, 3x3.
    pub conv1: Conv2d,
    /// Before the second convolution.
    pub norm2: GroupNorm,
    /// The second, 3x3.
    pub conv2: Conv2d,
    /// 1x1, where the number of channels changes.
    pub shortcut: Option<Conv2d>,
}

impl FftVaeBlock {
    pub(crate) fn new([n_in, n_out]: [usize; 2], n_groups: usize, device: &Device) -> Self {
        Self {
            norm1: GroupNormConfig::new(n_groups, n_in).init(device),
            conv1: conv([n_in, n_out], 3, device),
            norm2: GroupNormConfig::new(n_groups, n_out).init(device),
            conv2: conv([n_out, n_out], 3, device),
            shortcut: (n_in != n_out).then(|| conv([n_in, n_out], 1, device)),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let branch = convolve(&self.conv1, activated(&self.norm1, x.clone()));
        let branch = convolve(&self.conv2, activated(&self.norm2, branch));
        let shortcut = match &self.shortcut {
            Some(conv) => convolve(conv, x),
            None => x,
        };
        branch + shortcut
    }
}

/// Attention of every place to all places, with one head, and a shortcut.
#[derive(Module, Debug)]
pub struct SpatialAttention {
    /// Before the projections.
    pub norm: GroupNorm,
    /// To query, key and value.
    pub qkv: Linear,
    /// Of the answer.
    pub proj: Linear,
}

impl SpatialAttention {
    pub(crate) fn new(channels: usize, n_groups: usize, device: &Device) -> Self {
        Self {
            norm: GroupNormConfig::new(n_groups, channels).init(device),
            qkv: LinearConfig::new(channels, 3 * channels).init(device),
            proj: LinearConfig::new(channels, channels).init(device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, channels] = x.dims();
        let normed = normalized(&self.norm, x.clone());
        let tokens = normed.reshape([batch, height * width, channels]);
        let answer = attend(&self.qkv, &self.proj, tokens, 1);
        x + answer.reshape([batch, height, width, channels])
    }
}

/// Self-attention of `tokens`, `[batch, tokens, dim]`; query, key and value of a head stand side by side.
pub(crate) fn attend(qkv: &Linear, proj: &Linear, tokens: Tensor<3>, n_heads: usize) -> Tensor<3> {
    let n_tokens = tokens.dims()[1];
    let bias = Tensor::zeros([n_heads, n_tokens, n_tokens], &tokens.device());
    project(proj, window_attention(project(qkv, tokens), bias, n_heads))
}
