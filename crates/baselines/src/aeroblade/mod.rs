//! AEROBLADE (Ricker et al. 2024, arXiv 2401.17879): how well an autoencoder reconstructs a picture.

mod import;
mod lpips;
mod tiny;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::Loader;
use cifake::weights::Configured;
use serde::{Deserialize, Serialize};

use crate::statistic::{Logistic, Statistic, StatisticNetwork};

pub(crate) use import::IMPORT as AEROBLADE;
pub use lpips::{Lpips, LpipsConfig};
pub use tiny::{
    TinyAutoencoder, TinyAutoencoderConfig, TinyBlock, TinyBranch, TinyDecoder, TinyEncoder,
    TinyStage,
};

/// No layer of a file from outside is wider, and no picture larger.
const MAX: usize = 1024;
/// Autoencoders of one detector, at most.
const MAX_AUTOENCODERS: usize = 8;
/// Maps of a block, of both reconstructions and of the convolutions' own memory, that live at once.
const N_MAPS: u64 = 16;

/// Reads weight files of an [`Aeroblade`].
#[must_use]
pub fn aeroblade_loader() -> Loader {
    Loader::of(|model: &Aeroblade, config: AerobladeConfig| {
        let logistic = config.logistic;
        let statistic = AerobladeStatistic { model: model.valid(), config };
        Ok(StatisticNetwork::new(statistic, logistic))
    })
}

/// Shape of an [`Aeroblade`], and its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AerobladeConfig {
    /// The autoencoders; the one that reconstructs a picture best decides.
    pub autoencoders: Vec<TinyAutoencoderConfig>,
    /// The distance.
    pub lpips: LpipsConfig,
    /// Stage of the distance from 1 to 5, or 0 for the sum of all. The paper takes 2.
    pub layer: usize,
    /// Width and height of the pictures, in pixels.
    pub side: u32,
    /// The threshold.
    pub logistic: Logistic,
}

/// Tiny autoencoders and a distance. The published detector has the full autoencoders of Stable Diffusion 1.1 and
/// 2, and of Kandinsky 2.1, whose latents it samples. A tiny autoencoder's latent is not sampled.
#[derive(Module, Debug)]
pub struct Aeroblade {
    /// At least one.
    pub autoencoders: Vec<TinyAutoencoder>,
    /// Of a picture and its reconstruction.
    pub lpips: Lpips,
}

impl Configured for Aeroblade {
    type Config = AerobladeConfig;

    const KEY: &'static str = "aeroblade_config";

    fn validate(config: &AerobladeConfig) -> Result<(), String> {
        if config.autoencoders.is_empty() || config.autoencoders.len() > MAX_AUTOENCODERS {
            return Err(format!("there must be 1 to {MAX_AUTOENCODERS} autoencoders"));
        }
        let tiny = config.autoencoders.iter().flat_map(|tiny| [tiny.width, tiny.n_latent]);
        if tiny.chain(config.lpips.widths).any(|size| size == 0 || size > MAX) {
            return Err(format!("widths must be 1 to {MAX}"));
        }
        if config.layer > config.lpips.widths.len() {
            return Err("layer must be 1 to 5, or 0 for the sum of all".into());
        }
        let (factor, least) = (TinyAutoencoder::FACTOR, Lpips::MIN_SIDE);
        if config.side < least || config.side as usize > MAX || !config.side.is_multiple_of(factor)
        {
            return Err(format!(
                "side must be a multiple of {factor}, by which the autoencoder reduces a picture, from {least} to {MAX}"
            ));
        }
        config.logistic.validate()
    }

    fn n_values(config: &AerobladeConfig) -> u64 {
        let tiny = config.autoencoders.iter().map(TinyAutoencoderConfig::n_values);
        tiny.sum::<u64>() + config.lpips.n_values()
    }

    fn activation_bytes(config: &AerobladeConfig) -> u64 {
        let tiny = config.autoencoders.iter().map(|tiny| tiny.width.max(tiny.n_latent));
        let widest = tiny.chain(config.lpips.widths).max().unwrap_or(0);
        let pixels = u64::from(config.side).saturating_mul(config.side.into());
        // A 3x3 convolution may lay its nine taps side by side.
        pixels.saturating_mul(widest as u64).saturating_mul(4 * (N_MAPS + 9))
    }

    fn build(config: &AerobladeConfig, device: &Device) -> Self {
        let autoencoders = config.autoencoders.iter().map(|tiny| tiny.init(device)).collect();
        Self { autoencoders, lpips: config.lpips.init(device) }
    }
}

/// An [`Aeroblade`] in evaluation mode. The value is the negated distance to the best reconstruction, so that
/// larger values are meant to be FAKE.
#[derive(Debug)]
pub struct AerobladeStatistic {
    model: Aeroblade,
    config: AerobladeConfig,
}

impl AerobladeStatistic {
    /// Wraps `model`, which must have been built from `config`.
    #[must_use]
    pub fn new(model: &Aeroblade, config: AerobladeConfig) -> Self {
        Self { model: model.valid(), config }
    }

    /// The distance to one reconstruction, `[batch]`.
    fn distance(&self, images: &Tensor<4>, autoencoder: &TinyAutoencoder) -> Tensor<1> {
        let reconstruction = rounded(autoencoder.reconstruct(images.clone()).clamp(0.0, 1.0));
        let mut stages = self.model.lpips.distances(images.clone(), reconstruction);
        match self.config.layer {
            0 => stages.into_iter().reduce(|sum, stage| sum + stage).expect("five stages"),
            layer => stages.swap_remove(layer - 1),
        }
    }
}

impl Statistic for AerobladeStatistic {
    fn name(&self) -> String {
        format!("aeroblade-tiny-vgg{}", self.config.layer)
    }

    fn input_size(&self) -> (u32, u32) {
        (self.config.side, self.config.side)
    }

    fn activation_bytes(&self) -> u64 {
        Aeroblade::activation_bytes(&self.config)
    }

    fn value(&self, images: Tensor<4>) -> Tensor<1> {
        let distances = self.model.autoencoders.iter().map(|tiny| -self.distance(&images, tiny));
        distances.reduce(|best, other| best.max_pair(other)).expect("at least one autoencoder")
    }
}

/// Pixels as an 8-bit file holds them; the gradient passes straight through.
///
/// Upstream writes files by torchvision, which cuts the fraction off.
fn rounded(pixels: Tensor<4>) -> Tensor<4> {
    let levels = (pixels.clone().detach() * 255.0).floor() / 255.0;
    pixels.clone() + (levels - pixels.detach())
}
