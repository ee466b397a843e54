//! A network small enough for tests of everything around it: two linear layers, nothing trained.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use cifake::weights::{Configured, Precision, Source, configured_bytes, draw_weights};
use cifake::{
    Classifier, Detector, Differentiable, EmbeddingClassifier, Familiarity, FeatureClassifier,
    Layer, Loader, Network, Registry, class_scores,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Shape of a [`Toy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToyConfig {
    /// Side of the pictures.
    pub side: usize,
    /// Length of the embedding.
    pub dim: usize,
    /// Outputs of the head.
    pub n_classes: usize,
    /// Memory that one picture is said to take, in bytes. A batch that would take more than 1 GiB is a panic.
    pub picture_bytes: u64,
}

impl ToyConfig {
    /// Pictures of 16 by 16.
    pub(crate) fn small() -> Self {
        Self { side: 16, dim: 12, n_classes: 1, picture_bytes: 7000 }
    }
}

/// An embedding of all pixels, and a head.
#[derive(Module, Debug)]
pub(crate) struct Toy {
    embed: Linear,
    head: Linear,
}

impl Toy {
    /// One with weights that are drawn.
    pub(crate) fn drawn(config: &ToyConfig, device: &Device) -> Self {
        draw_weights(Self::build(config, device), 3, |_, shape, rng| {
            let reach = (shape[0] as f32).sqrt().recip();
            Some((0..shape.iter().product()).map(|_| rng.random_range(-reach..reach)).collect())
        })
    }

    fn embedding(&self, images: Tensor<4>) -> Tensor<2> {
        self.embed.forward((images.flatten(1, 3) - 0.5) * 4.0).tanh()
    }
}

impl Configured for Toy {
    type Config = ToyConfig;

    const KEY: &'static str = "toy_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &ToyConfig) -> Result<(), String> {
        let is_valid = (1..=4096).contains(&config.side) && (1..=64).contains(&config.dim);
        is_valid.then_some(()).ok_or_else(|| "side and dim must be small".to_owned())
    }

    fn n_values(config: &ToyConfig) -> u64 {
        let (pixels, dim) = (3 * config.side.pow(2), config.dim);
        (pixels * dim + dim + dim * config.n_classes + config.n_classes) as u64
    }

    fn activation_bytes(config: &ToyConfig) -> u64 {
        config.picture_bytes
    }

    fn build(config: &ToyConfig, device: &Device) -> Self {
        Self {
            embed: LinearConfig::new(3 * config.side.pow(2), config.dim).init(device),
            head: LinearConfig::new(config.dim, config.n_classes).init(device),
        }
    }
}

/// A toy as a network.
#[derive(Debug)]
pub(crate) struct ToyNetwork {
    toy: Toy,
    config: ToyConfig,
    layers: [Layer; 1],
}

impl Classifier for ToyNetwork {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(images).0
    }
}

impl Differentiable for ToyNetwork {}

impl FeatureClassifier for ToyNetwork {
    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn features(&self, images: Tensor<4>, _: &Layer) -> Tensor<4> {
        self.toy.embedding(images).unsqueeze_dims(&[2, 3])
    }

    fn head(&self, features: Tensor<4>, _: &Layer) -> Tensor<2> {
        class_scores(self.toy.head.forward(features.flatten(1, 3)))
    }
}

impl EmbeddingClassifier for ToyNetwork {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let batch = images.dims()[0] as u64;
        assert!(batch * self.config.picture_bytes <= 1 << 30, "{batch} pictures at once");
        let embedding = self.toy.embedding(images);
        (class_scores(self.toy.head.forward(embedding.clone())), embedding)
    }
}

impl Network for ToyNetwork {
    fn name(&self) -> String {
        "toy".to_owned()
    }

    fn input_size(&self) -> (u32, u32) {
        (self.config.side as u32, self.config.side as u32)
    }

    fn embedding_dim(&self) -> usize {
        self.config.dim
    }

    fn activation_bytes(&self) -> u64 {
        Toy::activation_bytes(&self.config)
    }
}

/// The loader of toys.
pub(crate) fn loader() -> Loader {
    Loader::of(|toy: &Toy, config: ToyConfig| match config.n_classes {
        1 | 2 => {
            let (name, channels) = ("embed".to_owned(), config.dim);
            let layers = [Layer { name, channels, height: 1, width: 1 }];
            Ok(ToyNetwork { toy: toy.clone(), config, layers })
        }
        other => Err(format!("its head has {other} outputs where a detector has one or two")),
    })
}

/// The content of a weight file of a toy.
pub(crate) fn bytes(config: &ToyConfig, notes: &[(&str, &str)]) -> Vec<u8> {
    let toy = Toy::drawn(config, &Device::flex());
    let notes: BTreeMap<String, String> =
        notes.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    configured_bytes(&toy, config, &notes, Precision::F16, &BTreeMap::new()).expect("finite")
}

/// The detector of such a file.
pub(crate) fn detector() -> Detector {
    let registry = Registry::from(loader());
    let bytes = bytes(&ToyConfig::small(), &[]);
    let builder = Detector::builder().threads(2).expect("two threads");
    builder.load(&registry, Source::Bytes { name: "toy", bytes: &bytes }).expect("it is whole")
}
