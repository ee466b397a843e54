//! A network small enough to be trained in a test.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation};
use cifake::weights::{Configured, draw_weights};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::Network;
use crate::augment::sample_rng;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmallConfig {
    pub(crate) width: usize,
    #[serde(default = "one")]
    pub(crate) n_outputs: usize,
}

fn one() -> usize {
    1
}

impl SmallConfig {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, n_outputs: one() }
    }
}

/// A convolution, a norm, and logits of the mean.
#[derive(Module, Debug)]
pub(crate) struct Small {
    conv: Conv2d,
    norm: BatchNorm,
    head: Linear,
}

impl Configured for Small {
    type Config = SmallConfig;

    const KEY: &'static str = "small_config";

    fn validate(config: &SmallConfig) -> Result<(), String> {
        if config.width > 0 { Ok(()) } else { Err("width must be at least 1".into()) }
    }

    fn n_values(config: &SmallConfig) -> u64 {
        (config.width * (27 + 4 + config.n_outputs) + config.n_outputs) as u64
    }

    fn activation_bytes(config: &SmallConfig) -> u64 {
        4 * 32 * 32 * (config.width as u64 + 3)
    }

    fn build(config: &SmallConfig, device: &Device) -> Self {
        let width = config.width;
        Self {
            conv: Conv2dConfig::new([3, width], [3, 3]).with_bias(false).init(device),
            norm: BatchNormConfig::new(width).init(device),
            head: LinearConfig::new(width, config.n_outputs).init(device),
        }
    }
}

impl Network for Small {
    const PRESETS: &'static [&'static str] = &["small"];

    fn preset(name: &str) -> Option<SmallConfig> {
        (name == "small").then_some(SmallConfig::new(4))
    }

    fn n_outputs(config: &SmallConfig) -> usize {
        config.n_outputs
    }

    fn draw(config: &SmallConfig, seed: u64, device: &Device) -> Self {
        draw_weights(Self::build(config, device), seed, |path, shape, rng| {
            let n_values: usize = shape.iter().product();
            match path.rsplit('.').next() {
                Some("weight") => {
                    Some((0..n_values).map(|_| rng.random_range(-0.5..0.5)).collect())
                }
                Some("bias") => Some(vec![0.0; n_values]),
                _ => None,
            }
        })
    }

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.norm.forward(self.conv.forward(images)));
        let [batch, channels, height, width] = x.dims();
        let pooled = x.reshape([batch, channels, height * width]).mean_dim(2);
        self.head.forward(pooled.reshape([batch, channels]))
    }

    fn scores_in_training(&self, _: &SmallConfig, images: Tensor<4>, seeds: &[u64]) -> Tensor<2> {
        assert_eq!(seeds.len(), images.dims()[0], "one seed a picture");
        self.scores(images)
    }
}

/// Pictures of 8x8 whose label is told by a stripe pattern, weak enough to be hidden.
pub(crate) fn stripes(n: usize) -> crate::Examples {
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for sample in 0..n {
        let mut rng = sample_rng(5, 0, sample, 8);
        let is_fake = sample % 2 == 1;
        labels.push(if is_fake { cifake::Label::Fake } else { cifake::Label::Real });
        for place in 0..8 * 8 {
            let up = if is_fake { (place % 8) % 2 == 0 } else { (place / 8) % 2 == 0 };
            for _ in 0..3 {
                let noise: f32 = rng.random_range(-20.0..20.0);
                pixels.push((128.0 + if up { 6.0 } else { -6.0 } + noise) as u8);
            }
        }
    }
    crate::Examples::new(pixels, labels, 8).expect("as many bytes as the size says")
}
