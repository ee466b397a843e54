//! The shape of an autoencoder of Stable Diffusion.

use std::collections::BTreeMap;

use burn::nn::conv::Conv2dConfig;
use burn::nn::{GroupNorm, GroupNormConfig, LinearConfig};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::kl::{KlAttention, KlAutoencoder, KlBlock, KlDecoder, KlEncoder, KlMiddle, KlStage};
use super::layer::same_size;

/// Stages, and blocks of a stage, at most.
const MAX_DEPTH: usize = 8;
/// Groups of the published autoencoders.
const N_GROUPS: usize = 32;
/// diffusers' constant.
const NORM_EPSILON: f64 = 1e-6;

/// Shape of a [`KlAutoencoder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KlAutoencoderConfig {
    /// Channels of the stages of the encoder; each but the last halves the map behind its blocks.
    pub widths: Vec<usize>,
    /// Blocks of a stage of the encoder; a stage of the decoder has one more.
    pub n_blocks: usize,
    /// Channels of the latent.
    pub n_latent: usize,
    /// Groups of the norms.
    pub n_groups: usize,
    /// Whether 1x1 convolutions stand before and behind the latent.
    pub has_quant_convs: bool,
}

impl KlAutoencoderConfig {
    /// That of Stable Diffusion 1 and 2.
    #[must_use]
    pub fn stable_diffusion() -> Self {
        Self {
            widths: vec![128, 256, 512, 512],
            n_blocks: 2,
            n_latent: 4,
            n_groups: N_GROUPS,
            has_quant_convs: true,
        }
    }

    /// The configuration that a published file with these names and shapes belongs to, `None` where it is none
    /// of an `AutoencoderKL`. Its norms have 32 groups.
    #[must_use]
    pub fn of_published(shapes: &BTreeMap<&str, Vec<usize>>) -> Option<Self> {
        let outputs = |key: &str| shapes.get(key)?.first().copied();
        let block = |stage, at| format!("encoder.down_blocks.{stage}.resnets.{at}.conv1.weight");
        let stages = (0..=MAX_DEPTH).map_while(|stage| outputs(&block(stage, 0)));
        Some(Self {
            widths: stages.collect(),
            n_blocks: (0..=MAX_DEPTH).take_while(|&at| outputs(&block(0, at)).is_some()).count(),
            n_latent: outputs("encoder.conv_out.weight")? / 2,
            n_groups: N_GROUPS,
            has_quant_convs: shapes.contains_key("quant_conv.weight"),
        })
    }

    /// Sides of a picture are multiples of this, and at least this.
    #[must_use]
    pub fn factor(&self) -> u32 {
        1 << self.widths.len().clamp(1, MAX_DEPTH).saturating_sub(1)
    }

    /// Whether it can be built, with layers of at most `max` channels; a sentence says why not.
    pub(super) fn check(&self, max: usize) -> Result<(), String> {
        if !(1..=MAX_DEPTH).contains(&self.widths.len()) {
            return Err(format!("an autoencoder must have 1 to {MAX_DEPTH} stages"));
        }
        if !(1..=MAX_DEPTH).contains(&self.n_blocks) {
            return Err(format!("n_blocks must be 1 to {MAX_DEPTH}"));
        }
        if self.sizes().any(|size| size == 0 || size > max) {
            return Err(format!("widths, n_latent and n_groups must be 1 to {max}"));
        }
        match self.widths.iter().find(|width| !width.is_multiple_of(self.n_groups)) {
            Some(width) => {
                Err(format!("a width of {width} cannot be divided into {} groups", self.n_groups))
            }
            None => Ok(()),
        }
    }

    /// The widest layer, in channels.
    pub(super) fn widest(&self) -> usize {
        self.sizes().max().unwrap_or(0)
    }

    fn sizes(&self) -> impl Iterator<Item = usize> {
        self.widths.iter().copied().chain([self.n_latent, self.n_groups])
    }

    /// The number of values of such an autoencoder, for a checked configuration.
    pub(super) fn n_values(&self) -> u64 {
        let conv = |n_in: u64, n_out: u64| 9 * n_in * n_out + n_out;
        let point = |n_in: u64, n_out: u64| n_in * n_out + n_out;
        let block = |n_in: u64, n_out: u64| {
            let shortcut = if n_in == n_out { 0 } else { point(n_in, n_out) };
            2 * (n_in + n_out) + conv(n_in, n_out) + conv(n_out, n_out) + shortcut
        };
        let blocks =
            |n_in, n_out, n: usize| block(n_in, n_out) + (n as u64 - 1) * block(n_out, n_out);
        let middle = |width| 2 * block(width, width) + 2 * width + 4 * point(width, width);
        let widths: Vec<u64> = self.widths.iter().map(|&width| width as u64).collect();
        let (first, last, latent) = (widths[0], widths[widths.len() - 1], self.n_latent as u64);
        let inputs = std::iter::once(&first).chain(&widths);
        let down: u64 = inputs.zip(&widths).map(|(a, b)| blocks(*a, *b, self.n_blocks)).sum();
        let inputs = std::iter::once(&last).chain(widths.iter().rev());
        let up = inputs.zip(widths.iter().rev()).map(|(a, b)| blocks(*a, *b, self.n_blocks + 1));
        let resampled =
            |widths: &[u64]| widths.iter().map(|&width| conv(width, width)).sum::<u64>();
        let ends = conv(3, first) + conv(last, 2 * latent) + conv(latent, last) + conv(first, 3);
        let norms = 2 * (first + last);
        let quant = point(2 * latent, 2 * latent) + point(latent, latent);
        let between = resampled(&widths[..widths.len() - 1]) + resampled(&widths[1..]);
        let whole = down + up.sum::<u64>() + between + 2 * middle(last) + ends + norms;
        whole + if self.has_quant_convs { quant } else { 0 }
    }

    /// An autoencoder of a checked configuration, with any weights.
    #[must_use]
    pub fn init(&self, device: &Device) -> KlAutoencoder {
        let (widths, latent) = (&self.widths, self.n_latent);
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let point = |width: usize| self.has_quant_convs.then(|| pointwise(width, width, device));
        let reversed: Vec<usize> = widths.iter().rev().copied().collect();
        KlAutoencoder {
            encoder: KlEncoder {
                conv_in: same_size(3, first, device),
                down_blocks: self.stages(widths, self.n_blocks, 2, device),
                mid_block: self.middle(last, device),
                conv_norm_out: self.norm(last, device),
                conv_out: same_size(last, 2 * latent, device),
            },
            quant_conv: point(2 * latent),
            post_quant_conv: point(latent),
            decoder: KlDecoder {
                conv_in: same_size(latent, last, device),
                mid_block: self.middle(last, device),
                up_blocks: self.stages(&reversed, self.n_blocks + 1, 1, device),
                conv_norm_out: self.norm(first, device),
                conv_out: same_size(first, 3, device),
            },
        }
    }

    fn stages(&self, widths: &[usize], depth: usize, stride: usize, d: &Device) -> Vec<KlStage> {
        let inputs = std::iter::once(&widths[0]).chain(widths);
        let stage = |(at, (&n_in, &width)): (usize, (&usize, &usize))| {
            let inputs = std::iter::once(n_in).chain(std::iter::repeat_n(width, depth - 1));
            let sample = Conv2dConfig::new([width, width], [3, 3]).with_stride([stride, stride]);
            KlStage {
                resnets: inputs.map(|n_in| self.block(n_in, width, d)).collect(),
                sample: (at + 1 < widths.len()).then(|| sample.init(d)),
            }
        };
        inputs.zip(widths).enumerate().map(stage).collect()
    }

    fn middle(&self, width: usize, device: &Device) -> KlMiddle {
        let linear = || LinearConfig::new(width, width).init(device);
        KlMiddle {
            resnets: (0..2).map(|_| self.block(width, width, device)).collect(),
            attention: KlAttention {
                group_norm: self.norm(width, device),
                to_q: linear(),
                to_k: linear(),
                to_v: linear(),
                to_out: linear(),
            },
        }
    }

    fn block(&self, n_in: usize, n_out: usize, device: &Device) -> KlBlock {
        KlBlock {
            norm1: self.norm(n_in, device),
            conv1: same_size(n_in, n_out, device),
            norm2: self.norm(n_out, device),
            conv2: same_size(n_out, n_out, device),
            conv_shortcut: (n_in != n_out).then(|| pointwise(n_in, n_out, device)),
        }
    }

    fn norm(&self, width: usize, device: &Device) -> GroupNorm {
        GroupNormConfig::new(self.n_groups, width).with_epsilon(NORM_EPSILON).init(device)
    }
}

/// 1x1, with a bias.
fn pointwise(n_in: usize, n_out: usize, device: &Device) -> burn::nn::conv::Conv2d {
    Conv2dConfig::new([n_in, n_out], [1, 1]).init(device)
}
