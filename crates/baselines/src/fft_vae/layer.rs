//! Layers of the encoder; maps are `[batch, height, width, channels]`.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation};
use cifake_kernels::{conv3x3, linear, linear_t, window_attention};

pub(crate) fn conv([n_in, n_out]: [usize; 2], kernel: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([n_in, n_out], [kernel, kernel]).init(device)
}

/// A convolution of 3x3 with its bias, padding 1.
pub(crate) fn convolve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    with_bias(conv, conv3x3(x, conv.weight.val(), 1))
}

fn with_bias(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    match &conv.bias {
        Some(bias) => x + bias.val().reshape([1, 1, 1, -1]),
        None => x,
    }
}

/// A convolution of 3x3 and stride 2 over an even map with a row and a column of zeros behind its end.
///
/// The kernels pad both ends, so that a window begins before an even place. Seen from the end, that is the same.
pub(crate) fn halve(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let reversed = conv3x3(x.flip([1, 2]), conv.weight.val().flip([2, 3]), 2);
    with_bias(conv, reversed.flip([1, 2]))
}

/// `linear` of the last axis.
pub(crate) fn project<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    linear(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// burn's group normalization in the memory order of the kernels (Wu and He 2018, arXiv 1803.08494).
pub(crate) fn normalize(norm: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let grouped = [batch, height * width, norm.num_groups, channels / norm.num_groups];
    let x: Tensor<4> = x.reshape(grouped);
    let centered = x.clone() - x.mean_dim(1).mean_dim(3);
    let variance = centered.clone().square().mean_dim(1).mean_dim(3);
    let mut scale = (variance + norm.epsilon).sqrt().recip();
    if let Some(gamma) = &norm.gamma {
        scale = scale * gamma.val().reshape([1, 1, grouped[2], grouped[3]]);
    }
    let mut out = centered * scale;
    if let Some(beta) = &norm.beta {
        out = out + beta.val().reshape([1, 1, grouped[2], grouped[3]]);
    }
    out.reshape([batch, height, width, channels])
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
        let branch = activation::silu(normalize(&self.norm1, x.clone()));
        let branch = activation::silu(normalize(&self.norm2, convolve(&self.conv1, branch)));
        let branch = convolve(&self.conv2, branch);
        let shortcut = match &self.shortcut {
            Some(conv) => {
                let [n_out, n_in, ..] = conv.weight.dims();
                let bias = conv.bias.as_ref().map(|bias| bias.val());
                linear_t(x, conv.weight.val().reshape([n_out, n_in]), bias)
            }
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
        let normed = normalize(&self.norm, x.clone());
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

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tensor};

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
        let ours = normalize(&norm, x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
        assert!(largest(ours - theirs) < 1e-5);
    }

    #[test]
    fn halving_pads_the_end_alone() {
        let device = Device::flex();
        let conv = conv([2, 3], 3, &device);
        let x = random([2, 4, 6, 2]);
        let below = Tensor::zeros([2, 1, 6, 2], &device);
        let padded = Tensor::cat(vec![x.clone(), below], 1);
        let beside = Tensor::zeros([2, 5, 1, 2], &device);
        let padded = Tensor::cat(vec![padded, beside], 2).permute([0, 3, 1, 2]);
        let config = Conv2dConfig::new([2, 3], [3, 3]).with_stride([2, 2]);
        let mut theirs = config.init(&device);
        (theirs.weight, theirs.bias) = (conv.weight.clone(), conv.bias.clone());
        let theirs = theirs.forward(padded).permute([0, 2, 3, 1]);
        let ours = halve(&conv, x);
        assert_eq!(ours.dims(), [2, 2, 3, 3]);
        assert!(largest(ours - theirs) < 1e-5);
    }
}
