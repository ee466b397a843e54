//! RIGID (He et al. 2024, arXiv 2405.20112): how little the features of a picture change by noise.

mod efficientnet;
mod encoder;
mod import;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cifake::Loader;
use cifake::weights::Configured;
use cifake_vit::resize_bicubic;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::statistic::{Logistic, Statistic, StatisticNetwork};

pub use efficientnet::{EfficientNet, EfficientNetBlock, EfficientNetConfig, EfficientNetStage};
pub use encoder::{RigidEncoder, RigidEncoderConfig};
pub(crate) use import::IMPORT as RIGID;

/// Sides of pictures, and draws, at most.
const MAX_SIDE: u32 = 1024;
const MAX_DRAWS: u32 = 64;
/// Strength of the noise, at most: pixels are in `[0, 1]`.
const MAX_LAMBDA: f32 = 10.0;
/// Lengths below this count as this, so that features of zeros have a similarity.
const MIN_LENGTH: f32 = 1e-12;

/// Reads weight files of a [`Rigid`].
#[must_use]
pub fn rigid_loader() -> Loader {
    Loader::of(|model: &Rigid, config: RigidConfig| {
        let logistic = config.logistic;
        Ok(StatisticNetwork::new(RigidStatistic::new(model, config), logistic))
    })
}

/// One of the two methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RigidForm {
    /// The paper's: noise is added to pixels in `[0, 1]`, and an encoder's own embedding is compared.
    Published,
    /// As a student system for this task had it: noise is added to normalized pixels, whose unit is about four
    /// times as large, and the mean of all tokens is compared.
    Original,
}

/// Shape of a [`Rigid`], its noise and its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RigidConfig {
    /// The network whose features are compared.
    pub encoder: RigidEncoderConfig,
    /// The method.
    pub form: RigidForm,
    /// Width and height at which the encoder sees a picture, in pixels. A picture is resized to it by Pillow's
    /// bicubic filter, before the noise.
    pub encoder_side: u32,
    /// Width and height of the pictures, in pixels.
    pub side: u32,
    /// Standard deviation of the noise; 0.05 is published. It is never rounded to 8 bits.
    pub lambda: f32,
    /// The value is the mean over that many draws.
    pub draws: u32,
    /// Seed of the draws. All pictures get the same noise, so that a verdict does not depend on other pictures.
    pub seed: u64,
    /// The threshold.
    pub logistic: Logistic,
}

/// An encoder. The published detector has DINOv2 ViT-L/14.
#[derive(Module, Debug)]
pub struct Rigid {
    /// Reads pictures in `[0, 1]`.
    pub encoder: RigidEncoder,
}

impl Configured for Rigid {
    type Config = RigidConfig;

    const KEY: &'static str = "rigid_config";

    fn validate(config: &RigidConfig) -> Result<(), String> {
        config.encoder.check(config.encoder_side)?;
        let sides = [config.encoder_side, config.side];
        if sides.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(format!("side and encoder_side must be 1 to {MAX_SIDE}"));
        }
        if !(config.lambda > 0.0 && config.lambda <= MAX_LAMBDA) {
            return Err(format!(
                "lambda must be above 0 and at most {MAX_LAMBDA}: without noise all pictures are equal"
            ));
        }
        if !(1..=MAX_DRAWS).contains(&config.draws) {
            return Err(format!("draws must be 1 to {MAX_DRAWS}"));
        }
        config.logistic.validate()
    }

    fn n_values(config: &RigidConfig) -> u64 {
        config.encoder.n_values()
    }

    fn activation_bytes(config: &RigidConfig) -> u64 {
        let side = u64::from(config.encoder_side.max(config.side));
        let pixels = side.saturating_mul(side);
        // The picture itself, enlarged, with noise and normalized.
        let pictures = pixels.saturating_mul(3 * 4 * 4);
        config.encoder.activation_bytes(pixels).saturating_add(pictures)
    }

    fn build(config: &RigidConfig, device: &Device) -> Self {
        Self { encoder: config.encoder.init(device) }
    }
}

/// A [`Rigid`] in evaluation mode. The value is the cosine similarity of the features of a picture and of the
/// noisy picture. Smaller values are meant to be FAKE.
#[derive(Debug)]
pub struct RigidStatistic {
    model: Rigid,
    config: RigidConfig,
}

impl RigidStatistic {
    /// Wraps `model`, which must have been built from `config`.
    #[must_use]
    pub fn new(model: &Rigid, config: RigidConfig) -> Self {
        Self { model: model.valid(), config }
    }

    /// The pictures as the encoder sees them, `[batch, 3, encoder_side, encoder_side]`.
    #[must_use]
    pub fn enlarged(&self, images: Tensor<4>) -> Tensor<4> {
        resize_bicubic(images, self.config.encoder_side as usize)
    }

    /// The features of `enlarged` pictures that are compared, `[batch, channels]`.
    #[must_use]
    pub fn embedding(&self, enlarged: Tensor<4>) -> Tensor<2> {
        self.model.encoder.embedding(enlarged, self.config.form)
    }

    /// The noise of a draw in pixels of `[0, 1]`, `[1, 3, encoder_side, encoder_side]`. All pictures get it. It is
    /// a function of the seed and the number of the draw.
    #[must_use]
    pub fn noise(&self, draw: u32, device: &Device) -> Tensor<4> {
        let side = self.config.encoder_side as usize;
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream(draw.into());
        let standard = |_| -> f32 { StandardNormal.sample(&mut rng) };
        let noise: Vec<f32> = (0..3 * side * side).map(standard).collect();
        let noise = Tensor::from_data(TensorData::new(noise, [1, 3, side, side]), device);
        let unit = match self.config.form {
            RigidForm::Published => [1.0; 3],
            RigidForm::Original => self.config.encoder.std(),
        };
        let unit = Tensor::<1>::from_floats(unit, device) * self.config.lambda;
        noise * unit.reshape([1, 3, 1, 1])
    }
}

impl Statistic for RigidStatistic {
    fn name(&self) -> String {
        format!("rigid-{}-{}", self.config.encoder.name(), self.config.lambda)
    }

    fn input_size(&self) -> (u32, u32) {
        (self.config.side, self.config.side)
    }

    fn activation_bytes(&self) -> u64 {
        Rigid::activation_bytes(&self.config)
    }

    fn value(&self, images: Tensor<4>) -> Tensor<1> {
        let device = images.device();
        let enlarged = self.enlarged(images);
        let clean = self.embedding(enlarged.clone());
        let similarity = |draw| {
            let noisy = enlarged.clone() + self.noise(draw, &device);
            similarity(clean.clone(), self.embedding(noisy))
        };
        let sum = (0..self.config.draws).map(similarity).reduce(|sum, value| sum + value);
        sum.expect("at least one draw") / self.config.draws as f32
    }
}

/// The cosine of the angle of each pair of rows, `[batch]`.
fn similarity(left: Tensor<2>, right: Tensor<2>) -> Tensor<1> {
    let [batch, _] = left.dims();
    let product = |a: &Tensor<2>, b: &Tensor<2>| (a.clone() * b.clone()).sum_dim(1);
    let squares = product(&left, &left) * product(&right, &right);
    let lengths = squares.clamp_min(MIN_LENGTH * MIN_LENGTH).sqrt();
    (product(&left, &right) / lengths).reshape([batch])
}
