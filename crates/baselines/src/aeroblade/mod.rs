//! AEROBLADE (Ricker et al. 2024, arXiv 2401.17879): how well an autoencoder reconstructs a picture.

mod import;
mod kl;
mod kl_config;
mod layer;
mod lpips;
mod tiny;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cifake::Loader;
use cifake::weights::Configured;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::statistic::{Logistic, Statistic, StatisticNetwork};

pub(crate) use import::IMPORT as AEROBLADE;
pub use kl::{KlAttention, KlAutoencoder, KlBlock, KlDecoder, KlEncoder, KlMiddle, KlStage};
pub use kl_config::KlAutoencoderConfig;
pub use lpips::{Backbone, Lpips, LpipsConfig};
pub use tiny::{
    TinyAutoencoder, TinyAutoencoderConfig, TinyBlock, TinyBranch, TinyDecoder, TinyEncoder,
    TinyStage,
};

/// No layer of a file from outside is wider, and no picture larger.
const MAX: usize = 1024;
/// Autoencoders of one kind, at most.
const MAX_AUTOENCODERS: usize = 8;
/// Maps of a block, of both reconstructions and of the convolutions' own memory, that live at once.
const N_MAPS: u64 = 16;
/// Matrices of the scores of attention that live at once.
const N_SCORES: u64 = 4;

/// Reads weight files of an [`Aeroblade`].
#[must_use]
pub fn aeroblade_loader() -> Loader {
    Loader::of(|model: &Aeroblade, config: AerobladeConfig| {
        let logistic = config.logistic;
        Ok(StatisticNetwork::new(AerobladeStatistic::new(model, config), logistic))
    })
}

/// Shape of an [`Aeroblade`], and its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AerobladeConfig {
    /// Autoencoders of Stable Diffusion.
    pub kl: Vec<KlAutoencoderConfig>,
    /// Seed of the noise by which the latents of `kl` are sampled; without one they are their means. All
    /// pictures get the same noise, so that a verdict does not depend on other pictures.
    pub sample: Option<u64>,
    /// Tiny autoencoders, whose latents are not sampled.
    pub tiny: Vec<TinyAutoencoderConfig>,
    /// The distance.
    pub lpips: LpipsConfig,
    /// Stage of the distance from 1 to 5, or 0 for the sum of all. The paper takes 2.
    pub layer: usize,
    /// Width and height of the pictures, in pixels. They are not resized by the method.
    pub side: u32,
    /// The threshold.
    pub logistic: Logistic,
}

impl AerobladeConfig {
    /// The number by which the sides of a picture must be divisible.
    fn factor(&self) -> u32 {
        let tiny = if self.tiny.is_empty() { 1 } else { TinyAutoencoder::FACTOR };
        self.kl.iter().map(KlAutoencoderConfig::factor).fold(tiny, u32::max)
    }

    fn check_side(&self) -> Result<(), String> {
        let (factor, side) = (self.factor(), self.side);
        let least = self.lpips.min_side().next_multiple_of(factor);
        if side >= least && side as usize <= MAX && side.is_multiple_of(factor) {
            return Ok(());
        }
        Err(format!(
            "side must be a multiple of {factor}, by which an autoencoder reduces a picture, from {least} to {MAX}"
        ))
    }
}

/// Autoencoders and a distance. The published detector has the autoencoders of Stable Diffusion 1.1 and 2, and of
/// Kandinsky 2.1.
#[derive(Module, Debug)]
pub struct Aeroblade {
    /// Of Stable Diffusion.
    pub kl: Vec<KlAutoencoder>,
    /// Tiny ones; of both kinds together there is at least one.
    pub tiny: Vec<TinyAutoencoder>,
    /// Of a picture and its reconstruction.
    pub lpips: Lpips,
}

impl Configured for Aeroblade {
    type Config = AerobladeConfig;

    const KEY: &'static str = "aeroblade_config";

    fn validate(config: &AerobladeConfig) -> Result<(), String> {
        let counts = [config.kl.len(), config.tiny.len()];
        if counts == [0, 0] || counts.iter().any(|&count| count > MAX_AUTOENCODERS) {
            return Err(format!("there must be 1 to {MAX_AUTOENCODERS} autoencoders of a kind"));
        }
        config.kl.iter().try_for_each(|kl| kl.check(MAX))?;
        let tiny = config.tiny.iter().flat_map(|tiny| [tiny.width, tiny.n_latent]);
        if tiny.chain(config.lpips.widths).any(|size| size == 0 || size > MAX) {
            return Err(format!("widths must be 1 to {MAX}"));
        }
        if config.layer > config.lpips.widths.len() {
            return Err("layer must be 1 to 5, or 0 for the sum of all".into());
        }
        config.check_side()?;
        config.logistic.validate()
    }

    fn n_values(config: &AerobladeConfig) -> u64 {
        let tiny = config.tiny.iter().map(TinyAutoencoderConfig::n_values);
        let kl = config.kl.iter().map(KlAutoencoderConfig::n_values);
        tiny.chain(kl).sum::<u64>() + config.lpips.n_values()
    }

    fn activation_bytes(config: &AerobladeConfig) -> u64 {
        let tiny = config.tiny.iter().map(|tiny| tiny.width.max(tiny.n_latent));
        let kl = config.kl.iter().map(KlAutoencoderConfig::widest);
        let widest = tiny.chain(kl).chain(config.lpips.widths).max().unwrap_or(0);
        let pixels = u64::from(config.side).saturating_mul(config.side.into());
        let places = |kl: &KlAutoencoderConfig| pixels / u64::from(kl.factor()).pow(2);
        let places = config.kl.iter().map(places).max().unwrap_or(0);
        let scores = places.saturating_mul(places).saturating_mul(4 * N_SCORES);
        // A 3x3 convolution may lay its nine taps side by side.
        pixels.saturating_mul(widest as u64).saturating_mul(4 * (N_MAPS + 9)).saturating_add(scores)
    }

    fn build(config: &AerobladeConfig, device: &Device) -> Self {
        Self {
            kl: config.kl.iter().map(|kl| kl.init(device)).collect(),
            tiny: config.tiny.iter().map(|tiny| tiny.init(device)).collect(),
            lpips: config.lpips.init(device),
        }
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

    /// The pictures that the autoencoders make of `images`, not clamped.
    fn reconstructions(&self, images: &Tensor<4>) -> impl Iterator<Item = Tensor<4>> {
        let kl = self.model.kl.iter().map(|kl| {
            let [mean, log_variance] = kl.encode(images.clone());
            kl.decode(match self.config.sample {
                Some(seed) => sampled(mean, log_variance, seed),
                None => mean,
            })
        });
        kl.chain(self.model.tiny.iter().map(|tiny| tiny.reconstruct(images.clone())))
    }
}

impl Statistic for AerobladeStatistic {
    /// Such as `aeroblade-tiny-vgg2`, by the kinds of autoencoders, the network of LPIPS and its stage.
    fn name(&self) -> String {
        let AerobladeConfig { kl, tiny, lpips, layer, .. } = &self.config;
        let backbone = match lpips.backbone {
            Backbone::Vgg => "vgg",
            Backbone::Alex => "alex",
        };
        let kinds = match (kl.is_empty(), tiny.is_empty()) {
            (false, false) => "kl-tiny",
            (false, true) => "kl",
            (true, _) => "tiny",
        };
        format!("aeroblade-{kinds}-{backbone}{layer}")
    }

    fn input_size(&self) -> (u32, u32) {
        (self.config.side, self.config.side)
    }

    fn activation_bytes(&self) -> u64 {
        Aeroblade::activation_bytes(&self.config)
    }

    fn value(&self, images: Tensor<4>) -> Tensor<1> {
        let lpips = &self.model.lpips;
        let n_stages = if self.config.layer == 0 { lpips.stages.len() } else { self.config.layer };
        let originals = lpips.features(images.clone(), n_stages);
        let distance = |reconstruction: Tensor<4>| {
            let features = lpips.features(rounded(reconstruction.clamp(0.0, 1.0)), n_stages);
            let stages = lpips.distances(&originals, &features);
            let from = self.config.layer.saturating_sub(1);
            stages.into_iter().skip(from).reduce(|sum, stage| sum + stage).expect("a stage")
        };
        let values = self.reconstructions(&images).map(|picture| -distance(picture));
        values.reduce(|best, other| best.max_pair(other)).expect("at least one autoencoder")
    }
}

/// A latent of that distribution; the noise is a function of the latent's shape and `seed`.
fn sampled(mean: Tensor<4>, log_variance: Tensor<4>, seed: u64) -> Tensor<4> {
    let [_, channels, height, width] = mean.dims();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let noise: Vec<f32> =
        (0..channels * height * width).map(|_| StandardNormal.sample(&mut rng)).collect();
    let noise = TensorData::new(noise, [1, channels, height, width]);
    mean.clone() + (log_variance * 0.5).exp() * Tensor::from_data(noise, &mean.device())
}

/// Pixels as an 8-bit file holds them; the gradient passes straight through.
///
/// Upstream writes files by torchvision, which cuts the fraction off.
fn rounded(pixels: Tensor<4>) -> Tensor<4> {
    let levels = (pixels.clone().detach() * 255.0).floor() / 255.0;
    pixels.clone() + (levels - pixels.detach())
}
