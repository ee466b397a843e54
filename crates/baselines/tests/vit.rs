//! A vision transformer from published weights to verdicts. The golden files are those of `cifake-vit`.

use std::path::{Path, PathBuf};

use baselines::{IMPORTS, VitClassifier, VitDetector, vit_loader};
use burn::tensor::{Device, Tensor, TensorData};
use cifake::weights::{Checkpoint, Mapping, Precision, Source, encode, to_bytes};
use cifake::{Classifier, Detector, EmbeddingClassifier};
use cifake_vit::VitConfig;
use testkit::{Fixture, assert_close};

fn fixture(name: &str) -> PathBuf {
    let file = format!("../vit/tests/fixtures/{name}.safetensors");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[test]
fn published_weights_give_upstreams_embedding() {
    let device = Device::flex();
    let sizes = VitConfig { side: 24, patch: 8, dim: 24, depth: 2, ..VitConfig::base16() };
    let config = VitConfig { n_heads: 3, d_mlp: 40, ..sizes };
    for name in ["timm_class", "hf_vit"] {
        let path = fixture(name);
        let model = VitDetector::load_for_fine_tuning(&config, path.as_path(), 1, &device);
        let model = VitClassifier::new(&model.expect("published names"), config.clone());
        let golden = Fixture::load(fixture(&format!("{name}_stages")));
        let (logits, embedding) = model.logits_and_embedding(golden.tensor("images", &device));
        assert_close(&embedding, &golden.tensor("embedding", &device), 1e-4, name);
        assert_eq!(logits.dims(), [2, 2]);
    }
}

/// A file of the preset `vit_32` under timm's names with a head of `classes`.
fn published(classes: usize) -> Vec<u8> {
    let config = VitConfig::small_32();
    let network = config.draw(3, &Device::flex());
    let bytes = to_bytes(&network, &Mapping::PYTORCH, &[].into(), Precision::F32).expect("small");
    let checkpoint = Checkpoint::open(Source::Bytes { name: "vit_32", bytes: &bytes });
    let checkpoint = checkpoint.expect("it was just written");
    let keys = checkpoint.shapes().into_keys();
    let mut tensors: Vec<(String, TensorData)> =
        keys.filter_map(|key| Some((key.to_owned(), checkpoint.tensor(key)?))).collect();
    let weight = TensorData::ones::<f32, _>([classes, config.dim]);
    tensors.push(("head.weight".into(), weight));
    tensors.push(("head.bias".into(), TensorData::ones::<f32, _>([classes])));
    encode(&tensors, &[].into())
}

#[test]
fn an_import_makes_a_detector_of_a_head_of_one_class() {
    let folder = tempfile::tempdir().expect("a folder");
    let import = IMPORTS.iter().find(|import| import.name == "vit").expect("it is listed");
    let out = folder.path().join("vit.safetensors");
    let start = |classes, preset: &str| {
        let path = folder.path().join("timm.safetensors");
        std::fs::write(&path, published(classes)).expect("room");
        let settings = vec![("preset".to_owned(), preset.to_owned())];
        import.start(vec![("weights".into(), path)], settings, None, (&Device::flex(), &out))
    };
    let error = start(3, "vit_32").expect_err("three classes").to_string();
    assert!(error.contains("fine-tune it"), "{error}");
    let error = start(1, "vit_16").expect_err("no such preset").to_string();
    assert!(error.contains("vit_base_patch16_224"), "{error}");
    assert!(start(1, "vit_base_patch16_224").is_err(), "a preset of another depth");
    start(1, "vit_32").expect("it is of that preset");
    let detector = Detector::builder().threads(1).expect("one thread");
    let detector = detector.open(&vit_loader().into(), &out).expect("it was just written");
    assert!(detector.model_name().starts_with("vit_32@"), "{}", detector.model_name());
    let logits = detector.classifier().logits(Tensor::ones([1, 3, 32, 32], &Device::flex()) * 0.5);
    assert_eq!(logits.dims(), [1, 2]);
}
