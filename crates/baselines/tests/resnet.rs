//! Parity with torchvision: the same numbers after every block, of both kinds, with torchvision's stem, pixels
//! and names. `fixtures/generate.py` makes the golden files.

use std::path::{Path, PathBuf};

use baselines::{BlockKind, Normalization, ResNetClassifier, ResNetConfig, StemKind};
use burn::tensor::{Device, Tensor};
use cifake::{Classifier, FeatureClassifier};
use testkit::{Fixture, assert_close};

const LIMIT: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn small(name: &str) -> ResNetConfig {
    let published = ResNetConfig::resnet50();
    assert_eq!(
        (published.stem, published.normalization),
        (StemKind::Imagenet, Normalization::Imagenet)
    );
    match name {
        "basic" => ResNetConfig {
            widths: [4, 6, 8, 8],
            depths: [1, 2, 1, 1],
            block: BlockKind::Basic,
            side: 40,
            ..published
        },
        _ => ResNetConfig { widths: [4, 4, 6, 8], depths: [2, 1, 1, 1], side: 40, ..published },
    }
}

#[test]
fn every_block_gives_torchvisions_numbers() {
    let device = Device::flex();
    for name in ["basic", "bottleneck"] {
        let config = small(name);
        let path = fixture(&format!("resnet_{name}.safetensors"));
        let model =
            config.load_for_fine_tuning(path.as_path(), 1, &device).expect("published names");
        let network = ResNetClassifier::new(&model, config);
        let golden = Fixture::load(fixture(&format!("resnet_{name}_stages.safetensors")));
        let images: Tensor<4> = golden.tensor("images", &device);
        for layer in network.layers() {
            let ours = network.features(images.clone(), layer);
            let theirs: Tensor<4> = golden.tensor(&layer.name, &device);
            assert_eq!(ours.dims()[1..], [layer.channels, layer.height, layer.width]);
            assert_close(&ours, &theirs, LIMIT, &format!("{name} {}", layer.name));
        }
        let logits = network.logits(images);
        let theirs: Tensor<2> = golden.tensor("logit", &device);
        assert_close(&logits.narrow(1, 1, 1), &theirs, LIMIT, &format!("{name} logit"));
    }
}

#[test]
fn weights_of_another_shape_are_refused() {
    let path = fixture("resnet_basic.safetensors");
    let load =
        |config: &ResNetConfig| config.load_for_fine_tuning(path.as_path(), 1, &Device::flex());
    let deeper = ResNetConfig { depths: [1, 2, 1, 2], ..small("basic") };
    assert!(load(&deeper).expect_err("a block is missing").to_string().contains("stages.3.1"));
    assert!(load(&small("bottleneck")).is_err());
    let wider = ResNetConfig { widths: [4, 6, 8, 9], ..small("basic") };
    assert!(load(&wider).is_err());
}
