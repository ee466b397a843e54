//! A variational encoder on spectra, with attention between patches of its latent map.

mod config;
mod detector;
mod encoder;
mod layer;
mod spectrum;
#[cfg(test)]
mod tests;
mod token;

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData};
use cifake::weights::{Checkpoint, Configured, Source, draw_weights};
use cifake::{Error, Familiarity};
use cifake_training::Network;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

pub use config::{FftVaeConfig, Planes};
pub use detector::{FftVaeClassifier, fft_vae_loader};
pub use encoder::SpectrumEncoder;
pub use layer::{FftVaeBlock, SpatialAttention};
pub use token::{PatchEmbedding, TokenAttention};

use crate::recipe::of_config;
use spectrum::{log_spectrum, residual};

/// A detector of generated images by their spectra: the encoder of a variational autoencoder reads the
/// logarithm of the magnitudes, and attention between patches of its latent map decides.
///
/// The method is that of a student system (github.com/Atul-AI08/Adobe-InterIIT, `task1/vae-fft`), described
/// there by its code alone. Each channel is transformed by itself. Magnitudes below a thousandth of the
/// channel's largest are set to 0. In training the latent is drawn from its mean and variance; the seeds of
/// the pictures decide. There is no decoder, and no term pulls the latent towards a prior.
///
/// Intended differences from that code:
///
/// - The latent is its mean in evaluation, so that an answer is repeatable. There it is drawn anew.
/// - The scores of the tokens' attention are divided by the root of a head's size before the softmax. There the
///   weights are divided after it. Both express the same functions.
/// - Class scores are the mean over the tokens. There each token has scores of its own.
/// - No dropout of 1 % stands before the head.
///
/// [`FftVaeConfig::original`] is that system's shape. The default shape, [`FftVaeConfig::fft_vae_32`], reads more
/// than the spectrum.
#[derive(Module, Debug)]
pub struct FftVae {
    /// From the spectrum to the latent.
    pub encoder: SpectrumEncoder,
    /// From the latent to tokens.
    pub embeddings: Vec<PatchEmbedding>,
    /// Between all tokens.
    pub attention: TokenAttention,
    /// Before the mean over the tokens.
    pub norm: LayerNorm,
    /// To the scores of REAL and FAKE.
    pub head: Linear,
    /// Height and width of the pictures.
    side: usize,
    #[module(skip)]
    planes: Planes,
}

impl Configured for FftVae {
    type Config = FftVaeConfig;

    const KEY: &'static str = "fft_vae_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &FftVaeConfig) -> Result<(), String> {
        config.validate()
    }

    fn n_values(config: &FftVaeConfig) -> u64 {
        config.n_values()
    }

    fn activation_bytes(config: &FftVaeConfig) -> u64 {
        config.activation_bytes()
    }

    fn build(config: &FftVaeConfig, device: &Device) -> Self {
        let channels = config.latent_channels();
        let embed = |&side: &usize| PatchEmbedding::new(channels, side, config.dim, device);
        Self {
            encoder: SpectrumEncoder::new(config, device),
            embeddings: config.patches.iter().map(embed).collect(),
            attention: TokenAttention::new(config.dim, config.n_heads, device),
            norm: LayerNormConfig::new(config.dim).init(device),
            head: LinearConfig::new(config.dim, 2).init(device),
            side: config.side,
            planes: config.planes,
        }
    }
}

impl FftVaeConfig {
    /// A network of this configuration with the weights in `source`, a file of this crate. Nothing is left
    /// to be drawn from the seed.
    ///
    /// # Errors
    ///
    /// Those of [`Checkpoint::open`] and [`configured_from`](cifake::weights::configured_from);
    /// [`Error::WeightConfig`] for a file with another configuration.
    pub fn load_for_fine_tuning<'a>(
        &self,
        source: impl Into<Source<'a>>,
        _seed: u64,
        device: &Device,
    ) -> Result<FftVae, Error> {
        of_config(&Checkpoint::open(source.into())?, self, device)
    }
}

impl FftVae {
    /// The encoder's input, `[batch, side, side, planes]`. Frequency 0 stands at row and column `side / 2`.
    ///
    /// `images` are square, `[batch, 3, height, width]` in `[0, 1]`; they are resized where they have another
    /// side.
    #[must_use]
    pub fn planes(&self, images: Tensor<4>) -> Tensor<4> {
        let images = self.resized(images);
        let spectrum = log_spectrum(images.clone());
        match self.planes {
            Planes::Spectrum => spectrum,
            Planes::Standardized => (spectrum - 5.0) / 2.0,
            Planes::WithResidual => {
                Tensor::cat(vec![(spectrum - 5.0) / 2.0, residual(images) / 16.0], 3)
            }
        }
    }

    /// Mean and logarithm of the variance of the latent map of `images`, as [`planes`](Self::planes) takes
    /// them: `[batch, side / 4, side / 4, channels]` each, the logarithm from -30 to 20.
    #[must_use]
    pub fn latent(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        self.encoder.forward(self.planes(images))
    }

    /// Pictures at the network's size, bilinear where they have another.
    fn resized(&self, images: Tensor<4>) -> Tensor<4> {
        let size = [self.side; 2];
        if images.dims()[2..] == size {
            return images;
        }
        let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
        interpolate(images, options.with_output_size(size))
    }

    /// The mean of the tokens of a latent map `[batch, side / 4, side / 4, channels]`, `[batch, dim]`.
    #[must_use]
    pub fn embedding(&self, latent: Tensor<4>) -> Tensor<2> {
        let tokens = self.embeddings.iter().map(|embedding| embedding.forward(latent.clone()));
        let tokens = self.attention.forward(Tensor::cat(tokens.collect(), 1));
        let [batch, _, dim] = tokens.dims();
        token::normalize(&self.norm, tokens).mean_dim(1).reshape([batch, dim])
    }

    /// The scores of REAL and FAKE, `[batch, 2]`, of an embedding.
    #[must_use]
    pub fn classify(&self, embedding: Tensor<2>) -> Tensor<2> {
        layer::project(&self.head, embedding)
    }
}

impl Network for FftVae {
    const PRESETS: &'static [&'static str] = FftVaeConfig::PRESETS;

    fn preset(name: &str) -> Option<FftVaeConfig> {
        FftVaeConfig::preset(name)
    }

    fn n_outputs(_: &FftVaeConfig) -> usize {
        2
    }

    /// Weights uniform within `1 / sqrt(inputs)`, as PyTorch draws them; biases and the table 0; the learned
    /// tokens standard normal.
    fn draw(config: &FftVaeConfig, seed: u64, device: &Device) -> Self {
        draw_weights(Self::build(config, device), seed, initial)
    }

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let [mean, _] = self.latent(images);
        self.classify(self.embedding(mean))
    }

    fn scores_in_training(&self, _: &FftVaeConfig, images: Tensor<4>, seeds: &[u64]) -> Tensor<2> {
        let [mean, log_variance] = self.latent(images);
        let noise = noise(seeds, mean.dims(), &mean.device());
        let latent = mean + (log_variance * 0.5).exp() * noise;
        self.classify(self.embedding(latent))
    }
}

/// Standard normal values, those of a picture drawn from its seed alone.
fn noise(seeds: &[u64], shape: [usize; 4], device: &Device) -> Tensor<4> {
    let n_values: usize = shape[1..].iter().product();
    let mut values: Vec<f32> = Vec::with_capacity(seeds.len() * n_values);
    for &seed in seeds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        values.extend((0..n_values).map(|_| -> f32 { StandardNormal.sample(&mut rng) }));
    }
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Initial values of the weight at `path`, those of norms aside.
fn initial(path: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Option<Vec<f32>> {
    let n_values = shape.iter().product();
    let n_inputs = match shape {
        [_, n_in, height, width] => n_in * height * width,
        [_, _, _] if path.ends_with("table") => return Some(vec![0.0; n_values]),
        [1, 1, _] => return Some((0..n_values).map(|_| StandardNormal.sample(rng)).collect()),
        [n_in, _] => *n_in,
        _ if path.ends_with("bias") => return Some(vec![0.0; n_values]),
        _ => return None,
    };
    let bound = (n_inputs as f32).sqrt().recip();
    Some((0..n_values).map(|_| rng.random_range(-bound..=bound)).collect())
}
