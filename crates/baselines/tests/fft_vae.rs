//! Parity with numpy's transform and PyTorch's layers at every stage. `fixtures/fft_vae.py` makes the golden files.

use std::path::{Path, PathBuf};

use baselines::{FftVae, fft_vae_loader};
use burn::tensor::{Device, Tensor};
use cifake::weights::{Source, load_configured};
use cifake::{Classifier, Detector, device};
use testkit::{Fixture, assert_close};

const LIMIT: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn every_stage_gives_the_numbers_of_numpy_and_pytorch() {
    let devices = ["flex", "ndarray"].into_iter().filter_map(|name| device::parse(name).ok());
    let golden = Fixture::load(fixture("fft_vae_stages.safetensors"));
    for device in devices {
        let source = fixture("fft_vae.safetensors");
        let loaded = load_configured::<FftVae>(Source::File(&source), &device);
        let (model, ..) = loaded.expect("its names are ours");
        let images: Tensor<4> = golden.tensor("images", &device);
        let theirs = |name: &str| golden.tensor::<4>(name, &device);
        assert_close(&model.planes(images.clone()), &theirs("planes"), LIMIT, "planes");
        let [mean, log_variance] = model.latent(images);
        assert_close(&mean, &theirs("mean"), LIMIT, "mean");
        assert_close(&log_variance, &theirs("log_variance"), LIMIT, "log_variance");
        let embedding = model.embedding(mean);
        let theirs = |name: &str| golden.tensor::<2>(name, &device);
        assert_close(&embedding, &theirs("embedding"), LIMIT, "embedding");
        assert_close(&model.classify(embedding), &theirs("logits"), LIMIT, "logits");
    }
}

#[test]
fn the_detector_gives_the_logits_of_the_reference() {
    let path = fixture("fft_vae.safetensors");
    let detector = Detector::builder().open(&fft_vae_loader().into(), &path).expect("its names");
    let golden = Fixture::load(fixture("fft_vae_stages.safetensors"));
    let images: Tensor<4> = golden.tensor("images", detector.device());
    let theirs: Tensor<2> = golden.tensor("logits", detector.device());
    assert_close(&detector.logits(images), &theirs, LIMIT, "logits");
}

#[test]
fn weights_of_another_shape_are_refused() {
    let mut golden = Fixture::load(fixture("fft_vae.safetensors"));
    let bytes = golden.to_safetensors();
    let source = Source::Bytes { name: "plain", bytes: &bytes };
    let error = load_configured::<FftVae>(source, &Device::flex()).map(|_| ());
    let error = error.expect_err("it has no configuration").to_string();
    assert!(error.contains("fft_vae_config"), "{error}");
    golden.remove("head.bias").expect("it is there");
    let model =
        load_configured::<FftVae>(Source::File(&fixture("fft_vae.safetensors")), &Device::flex());
    let (mut model, ..) = model.expect("its names are ours");
    let bytes = golden.to_safetensors();
    let source = Source::Bytes { name: "headless", bytes: &bytes };
    let checkpoint = cifake::weights::Checkpoint::open(source).expect("it is a file");
    let error = checkpoint.load_into(&mut model, &cifake::weights::Mapping::PYTORCH);
    let error = error.expect_err("a bias is missing").to_string();
    assert!(error.contains("head.bias"), "{error}");
}
