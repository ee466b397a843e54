//! A vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929) as a detector, for small pictures and as
//! published for ImageNet.

mod detector;
mod import;
mod pretrained;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use cifake::Familiarity;
use cifake::weights::{Configured, draw_weights};
use cifake_training::Network;
use cifake_vit::{RowMap, Vit, VitConfig, resize_bicubic};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

pub use detector::{VitClassifier, vit_loader};
pub(crate) use import::IMPORT as VIT;

/// Standard deviation of a new head's weights, timm's.
const HEAD_STD: f32 = 0.02;

/// A vision transformer with one logit of FAKE.
#[derive(Module, Debug)]
pub struct VitDetector {
    /// Pixels to embedding.
    pub network: Vit,
    /// Embedding to logit.
    pub head: Linear,
}

impl Configured for VitDetector {
    type Config = VitConfig;

    const KEY: &'static str = "vit_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &VitConfig) -> Result<(), String> {
        config.validate()
    }

    fn n_values(config: &VitConfig) -> u64 {
        config.n_values().saturating_add(config.embedding_dim() as u64).saturating_add(1)
    }

    fn activation_bytes(config: &VitConfig) -> u64 {
        config.activation_bytes()
    }

    fn build(config: &VitConfig, device: &Device) -> Self {
        let head = LinearConfig::new(config.embedding_dim(), 1).init(device);
        Self { network: config.build(device), head }
    }
}

impl VitDetector {
    /// `images` at the network's size.
    pub(crate) fn fitted(&self, images: Tensor<4>) -> Tensor<4> {
        let side = self.network.config().side;
        match images.dims() {
            [_, _, height, width] if height == side && width == side => images,
            _ => resize_bicubic(images, side).clamp(0.0, 1.0),
        }
    }
}

/// A head for embeddings of `dim` values: a normal weight and a bias of 0.
fn draw_head(dim: usize, seed: u64, device: &Device) -> Linear {
    let normal = Normal::new(0.0, HEAD_STD).expect("a positive deviation");
    draw_weights(LinearConfig::new(dim, 1).init(device), seed, |path, shape, rng| {
        let n = shape.iter().product();
        Some(match path {
            "weight" => (0..n).map(|_| normal.sample::<ChaCha8Rng>(rng)).collect(),
            _ => vec![0.0; n],
        })
    })
}

impl Network for VitDetector {
    const PRESETS: &'static [&'static str] = VitConfig::PRESETS;

    fn preset(name: &str) -> Option<VitConfig> {
        VitConfig::preset(name)
    }

    fn n_outputs(_: &VitConfig) -> usize {
        1
    }

    fn draw(config: &VitConfig, seed: u64, device: &Device) -> Self {
        let head = draw_head(config.embedding_dim(), seed, device);
        Self { network: config.draw(seed, device), head }
    }

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.map_rows(self.network.forward(self.fitted(images)))
    }

    fn scores_in_training(
        &self,
        config: &VitConfig,
        images: Tensor<4>,
        seeds: &[u64],
    ) -> Tensor<2> {
        let kept = config.draw_kept(seeds, &images.device());
        self.head.map_rows(self.network.forward_train(self.fitted(images), kept))
    }
}
