//! A network of another crate registers itself: its weight files are opened by what they declare, and judge.

mod toy;

use burn::tensor::{Tensor, TensorData};
use cifake::weights::Source;
use cifake::{
    Classifier, Detector, DetectorError, Error, FeatureClassifier, InputFit, Picture, Registry,
    Scorer, Verdict, tensor_from_rgb8,
};
use toy::{ToyConfig, bytes, detector, loader};

/// A picture of waves; another one for each `seed`.
fn waves(side: u32, seed: u32) -> Picture {
    let wave = |t: u32| (127.0 + 120.0 * (t as f32 * 0.37).sin()) as u8;
    let pixels = (0..side * side * 3).map(|i| wave(i / 3 * (seed + 1) + i % 3));
    Picture::new(pixels.collect(), side, side).expect("whole")
}

fn largest(difference: Tensor<2>) -> f32 {
    difference.abs().max().into_scalar::<f32>()
}

#[test]
fn a_weight_file_is_opened_by_what_its_metadata_declare() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.safetensors");
    let notes = [("temperature", "2"), ("threshold", "0.4")];
    std::fs::write(&path, bytes(&ToyConfig::small(), &notes)).expect("the folder is writable");
    let registry = Registry::new().with(loader());
    let detector = Detector::open(&registry, &path).expect("it was just written");
    assert!(detector.model_name().starts_with("toy@"), "{}", detector.model_name());
    assert_eq!((detector.input_size(), detector.threshold()), ((16, 16), 0.4));
    let verdict = detector.detect(waves(16, 1)).expect("a whole picture");
    assert_eq!((verdict.input, verdict.model.as_str()), (InputFit::Native, detector.model_name()));
    let cold = toy::detector().detect(waves(16, 1)).expect("a whole picture");
    let logit = |p: f32| (p / (1.0 - p)).ln();
    assert!((logit(cold.p_fake) / 2.0 - logit(verdict.p_fake)).abs() < 1e-4);
}

#[test]
fn shipped_weights_and_files_have_names_and_an_unknown_name_lists_them() {
    let shipped: &'static [u8] = Vec::leak(bytes(&ToyConfig::small(), &[]));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("other.safetensors");
    std::fs::write(&path, shipped).expect("the folder is writable");
    let registry = Registry::new()
        .with(loader().shipping(&["plain", "alias"], shipped))
        .with_file("filed", &path);
    assert_eq!(registry.names().collect::<Vec<_>>(), ["plain", "filed"]);
    let names = ["plain", "alias", "filed"]
        .map(|name| Detector::open(&registry, name).expect("shipped").model_name().to_owned());
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    let error = Detector::open(&registry, "nope").map(|_| ()).expect_err("no such weights");
    assert!(matches!(error, Error::Detector(DetectorError::UnknownWeights { .. })), "{error}");
    assert!(error.to_string().ends_with("one of: plain, filed"), "{error}");
    let missing = Detector::open(&registry, "runs/nope.safetensors").map(|_| ());
    assert!(matches!(missing, Err(Error::Read { .. })), "{missing:?}");
}

#[test]
fn a_file_of_another_network_is_refused_with_the_keys_that_are_known() {
    let content = bytes(&ToyConfig::small(), &[]);
    let source = Source::Bytes { name: "a toy", bytes: &content };
    let empty = Detector::builder().load(&Registry::new(), source).map(|_| ());
    assert!(matches!(empty, Err(Error::Detector(DetectorError::UnknownNetwork { .. }))));
    let registry = Registry::new().with(loader());
    let plain = cifake::weights::encode::<TensorData>(&[], &[].into());
    let source = Source::Bytes { name: "plain", bytes: &plain };
    let error = Detector::builder().load(&registry, source).map(|_| ()).expect_err("no key");
    assert!(error.to_string().contains("plain"), "{error}");
    assert!(error.to_string().ends_with("toy_config"), "{error}");
}

#[test]
fn a_network_that_is_no_detector_is_refused_by_name() {
    let content = bytes(&ToyConfig { n_classes: 10, ..ToyConfig::small() }, &[]);
    let source = Source::Bytes { name: "a toy", bytes: &content };
    let error = Detector::builder().load(&loader().into(), source).map(|_| ());
    let error = error.expect_err("ten outputs").to_string();
    assert!(error.contains("a toy") && error.contains("10 outputs"), "{error}");
}

#[test]
fn the_network_can_be_cut_and_the_detector_answers_as_it_does() {
    let detector = detector();
    let pictures = [waves(16, 1), waves(16, 2)];
    let images = tensor_from_rgb8(&pictures, detector.device()).expect("one size");
    let network = detector.classifier();
    let logits = network.logits(images.clone());
    let layer = network.layers().last().expect("a network has layers").clone();
    let features = network.features(images.clone(), &layer);
    assert_eq!(features.dims(), [2, layer.channels, layer.height, layer.width]);
    assert!(largest(network.head(features, &layer) - logits.clone()) < 1e-5);
    assert!(largest(detector.logits(images.clone()) - logits) < 1e-5);
    let scores = detector.scores(images).into_data().try_to_vec::<f32>().expect("floats");
    let verdicts = detector.detect_batch(pictures).expect("whole pictures");
    for (score, verdict) in scores.iter().zip(&verdicts) {
        assert!((score - verdict.p_fake).abs() < 1e-5, "{score} {verdict:?}");
    }
    let json = serde_json::to_string(&verdicts).expect("plain data has a JSON form");
    let read: Vec<Verdict> = serde_json::from_str(&json).expect("what was written is read");
    assert_eq!(read, verdicts);
}

#[test]
fn a_network_that_needs_much_memory_is_judged_in_smaller_batches() {
    let content = bytes(&ToyConfig { picture_bytes: 400 << 20, ..ToyConfig::small() }, &[]);
    let source = Source::Bytes { name: "large", bytes: &content };
    let detector = Detector::builder().load(&loader().into(), source).expect("it is whole");
    let verdicts = detector.detect_batch((0..7).map(|seed| waves(16, seed))).expect("whole");
    assert_eq!(verdicts.len(), 7);
    let small = toy::detector().detect_batch((0..7).map(|seed| waves(16, seed))).expect("whole");
    for (ours, theirs) in verdicts.iter().zip(small) {
        assert!((ours.p_fake - theirs.p_fake).abs() < 1e-5);
    }
}

#[test]
fn a_network_that_needs_too_much_memory_for_one_picture_is_refused() {
    let content = bytes(&ToyConfig { picture_bytes: (1 << 30) + 1, ..ToyConfig::small() }, &[]);
    let source = Source::Bytes { name: "huge", bytes: &content };
    let refused = Detector::builder().load(&loader().into(), source).map(|_| ());
    assert!(matches!(refused, Err(Error::ActivationsTooLarge { limit, .. }) if limit == 1 << 30));
}
