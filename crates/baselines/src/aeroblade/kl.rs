//! The autoencoder of Stable Diffusion (Rombach et al. 2022, arXiv 2112.10752), with the layers and names of
//! `AutoencoderKL` of diffusers 0.42. Kandinsky's MoVQ, whose decoder has spatial norms, is none of them.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, Linear};
use burn::tensor::{Tensor, activation};
use cifake::weights::Mapping;
use cifake_kernels::linear;

use crate::channels_last::{
    activated, channels_first, channels_last, convolve, doubled, halved, normalized,
};

/// Logarithms of variances are kept in this range.
const LOG_VARIANCE: [f32; 2] = [-30.0, 20.0];

/// Encodes a picture to the distribution of its latent, and decodes a latent.
#[derive(Module, Debug)]
pub struct KlAutoencoder {
    /// From a picture to mean and logarithm of the variance.
    pub encoder: KlEncoder,
    /// 1x1, behind the encoder.
    pub quant_conv: Option<Conv2d>,
    /// 1x1, before the decoder.
    pub post_quant_conv: Option<Conv2d>,
    /// From a latent to a picture.
    pub decoder: KlDecoder,
}

/// From a picture to mean and logarithm of the variance of its latent.
#[derive(Module, Debug)]
pub struct KlEncoder {
    /// 3x3.
    pub conv_in: Conv2d,
    /// Each but the last halves the map.
    pub down_blocks: Vec<KlStage>,
    /// At the size of the latent.
    pub mid_block: KlMiddle,
    /// Before a SiLU.
    pub conv_norm_out: GroupNorm,
    /// 3x3.
    pub conv_out: Conv2d,
}

/// From a latent to a picture.
#[derive(Module, Debug)]
pub struct KlDecoder {
    /// 3x3.
    pub conv_in: Conv2d,
    /// At the size of the latent.
    pub mid_block: KlMiddle,
    /// Each but the last doubles the map.
    pub up_blocks: Vec<KlStage>,
    /// Before a SiLU.
    pub conv_norm_out: GroupNorm,
    /// 3x3.
    pub conv_out: Conv2d,
}

/// Blocks of one size.
#[derive(Module, Debug)]
pub struct KlStage {
    /// One after the other.
    pub resnets: Vec<KlBlock>,
    /// 3x3, behind the blocks: of stride 2 in the encoder, behind a doubling in the decoder.
    pub sample: Option<Conv2d>,
}

/// Two convolutions and a shortcut.
#[derive(Module, Debug)]
pub struct KlBlock {
    /// Before a SiLU and `conv1`.
    pub norm1: GroupNorm,
    /// 3x3.
    pub conv1: Conv2d,
    /// Before a SiLU and `conv2`.
    pub norm2: GroupNorm,
    /// 3x3.
    pub conv2: Conv2d,
    /// 1x1, where the number of channels changes.
    pub conv_shortcut: Option<Conv2d>,
}

/// A block, attention, and a block.
#[derive(Module, Debug)]
pub struct KlMiddle {
    /// The two blocks.
    pub resnets: Vec<KlBlock>,
    /// Between them.
    pub attention: KlAttention,
}

/// Attention of all places to all places, with one head and a shortcut.
#[derive(Module, Debug)]
pub struct KlAttention {
    /// Before the projections.
    pub group_norm: GroupNorm,
    /// Queries.
    pub to_q: Linear,
    /// Keys.
    pub to_k: Linear,
    /// Values.
    pub to_v: Linear,
    /// Of the answers.
    pub to_out: Linear,
}

impl KlAutoencoder {
    /// The names of diffusers, and the older ones of the attention that files of Stable Diffusion 1 have.
    pub const PUBLISHED: Mapping<'static> = Mapping {
        renames: &[
            (r"\.(down|up)samplers\.0\.conv\.", ".sample."),
            (r"\.attentions\.0\.", ".attention."),
            (r"\.attention\.to_out\.0\.", ".attention.to_out."),
            (r"\.attention\.query\.", ".attention.to_q."),
            (r"\.attention\.key\.", ".attention.to_k."),
            (r"\.attention\.value\.", ".attention.to_v."),
            (r"\.attention\.proj_attn\.", ".attention.to_out."),
        ],
        ..Mapping::PYTORCH
    };

    /// Mean and logarithm of the variance of the latent of `images`, `[batch, n_latent, height, width]` each, of
    /// [`factor`](super::KlAutoencoderConfig::factor) times reduced sides.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`.
    #[must_use]
    pub fn encode(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        let moments = self.encoder.forward(channels_last(images * 2.0 - 1.0));
        let moments = match &self.quant_conv {
            Some(conv) => convolve(conv, moments),
            None => moments,
        };
        let n_latent = moments.dims()[3] / 2;
        let [mean, log_variance] =
            [0, n_latent].map(|from| channels_first(moments.clone().narrow(3, from, n_latent)));
        [mean, log_variance.clamp(LOG_VARIANCE[0], LOG_VARIANCE[1])]
    }

    /// The picture of `latent`, `[batch, 3, height, width]`, not clamped. 0 is black, 1 is white.
    #[must_use]
    pub fn decode(&self, latent: Tensor<4>) -> Tensor<4> {
        let latent = channels_last(latent);
        let latent = match &self.post_quant_conv {
            Some(conv) => convolve(conv, latent),
            None => latent,
        };
        channels_first(self.decoder.forward(latent)) * 0.5 + 0.5
    }
}

impl KlEncoder {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let down = |x, stage: &KlStage| stage.forward(x);
        let x = self.down_blocks.iter().fold(convolve(&self.conv_in, x), down);
        let x = self.mid_block.forward(x);
        convolve(&self.conv_out, activated(&self.conv_norm_out, x))
    }
}

impl KlDecoder {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.mid_block.forward(convolve(&self.conv_in, x));
        let x = self.up_blocks.iter().fold(x, |x, stage| stage.forward(x));
        convolve(&self.conv_out, activated(&self.conv_norm_out, x))
    }
}

impl KlStage {
    /// `x` is `[batch, height, width, channels]`, and so is the result.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.resnets.iter().fold(x, |x, block| block.forward(x));
        match &self.sample {
            Some(conv) if conv.stride[0] == 2 => halved(conv, x),
            Some(conv) => convolve(conv, doubled(x)),
            None => x,
        }
    }
}

impl KlBlock {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let branch = activated(&self.norm1, x.clone());
        let branch = convolve(&self.conv1, branch);
        let branch = convolve(&self.conv2, activated(&self.norm2, branch));
        match &self.conv_shortcut {
            Some(shortcut) => convolve(shortcut, x) + branch,
            None => x + branch,
        }
    }
}

impl KlMiddle {
    /// `x` is `[batch, height, width, channels]`, and so is the result.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.resnets[0].forward(x);
        self.resnets[1].forward(self.attention.forward(x))
    }
}

impl KlAttention {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, channels] = x.dims();
        let shape = [batch, height * width, channels];
        let normal: Tensor<3> = normalized(&self.group_norm, x.clone()).reshape(shape);
        let project = |layer: &Linear, x: Tensor<3>| {
            linear(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
        };
        let [query, key, value] =
            [&self.to_q, &self.to_k, &self.to_v].map(|layer| project(layer, normal.clone()));
        let scores = query.matmul(key.swap_dims(1, 2)) / (channels as f32).sqrt();
        let answer = activation::softmax(scores, 2).matmul(value);
        x + project(&self.to_out, answer).reshape([batch, height, width, channels])
    }
}
