//! A network that takes its time, and panics at the sight of white.

use std::collections::BTreeMap;
use std::time::Duration;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use cifake::weights::{Configured, Precision, Source, configured_bytes, draw_weights};
use cifake::{
    Classifier, Detector, Differentiable, EmbeddingClassifier, FeatureClassifier, Loader, Network,
    Registry,
};

/// Side of its pictures, in pixels.
pub(crate) const SIDE: u32 = 8;
/// Time of one pass.
pub(crate) const PASS: Duration = Duration::from_millis(50);

#[derive(Module, Debug)]
struct Toy {
    head: Linear,
}

impl Configured for Toy {
    type Config = u32;

    const KEY: &'static str = "toy_config";

    fn validate(config: &u32) -> Result<(), String> {
        (*config == SIDE).then_some(()).ok_or_else(|| "a toy has one size".to_owned())
    }

    fn n_values(_: &u32) -> u64 {
        4
    }

    fn activation_bytes(_: &u32) -> u64 {
        1024
    }

    fn build(_: &u32, device: &Device) -> Self {
        Self { head: LinearConfig::new(1, 2).init(device) }
    }
}

#[derive(Debug)]
struct ToyNetwork(Toy);

impl Classifier for ToyNetwork {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(images).0
    }
}

impl Differentiable for ToyNetwork {}

impl FeatureClassifier for ToyNetwork {}

impl EmbeddingClassifier for ToyNetwork {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        std::thread::sleep(PASS);
        let means: Tensor<2> = images.flatten::<2>(1, 3).mean_dim(1);
        let levels = means.clone().into_data().convert::<f32>().try_to_vec::<f32>().expect("f32");
        assert!(levels.iter().all(|level| *level < 0.99), "this network cannot look at white");
        (self.0.head.forward(means.clone()), means)
    }
}

impl Network for ToyNetwork {
    fn name(&self) -> String {
        "toy".to_owned()
    }

    fn input_size(&self) -> (u32, u32) {
        (SIDE, SIDE)
    }

    fn embedding_dim(&self) -> usize {
        1
    }

    fn activation_bytes(&self) -> u64 {
        1024
    }
}

/// A detector of the network.
pub(crate) fn detector() -> Detector {
    let toy = draw_weights(Toy::build(&SIDE, &Device::flex()), 3, |_, shape, _| {
        Some(vec![0.5; shape.iter().product()])
    });
    let bytes = configured_bytes(&toy, &SIDE, &BTreeMap::new(), Precision::F16, &BTreeMap::new());
    let registry = Registry::from(Loader::of(|toy: &Toy, _| Ok(ToyNetwork(toy.clone()))));
    let builder = Detector::builder().threads(2).expect("two threads");
    let source = Source::Bytes { name: "toy", bytes: &bytes.expect("finite") };
    builder.load(&registry, source).expect("it is whole")
}
