//! The one-call detector: one answer whichever way a picture comes in, errors by name, bounded
//! memory.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
use cifake::weights::{Precision, save_configured};
use cifake::{
    Classifier, DecodeLimits, Detector, DetectorBuilder, DetectorError, Error, Input, InputFit,
    Label, Picture, Scorer, Threads, Verdict, device, tensor_from_rgb8,
};
use image::{DynamicImage, RgbImage};
use tinyvit::TinyVitConfig;

/// Pictures that go through the model together, see `detector`.
const BATCH: usize = 64;
/// Sums of another order: a batch of 64 against one of 1, another backend.
const TOLERANCE: f32 = 1e-4;

fn small(n_classes: usize) -> TinyVitConfig {
    TinyVitConfig {
        embed_dims: [8, 16, 16, 32],
        depths: [1, 1, 1, 1],
        n_heads: [1, 1, 1, 1],
        stem_dim: 8,
        ..TinyVitConfig::native()
    }
    .with_n_classes(n_classes)
}

fn weights(folder: &Path, n_classes: usize, texts: &[(&str, &str)]) -> PathBuf {
    let (config, path) = (small(n_classes), folder.join("weights.safetensors"));
    let notes: BTreeMap<String, String> =
        texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let model = config.init(3, &Device::flex());
    save_configured(&model, &config, &notes, Precision::F32, &path).expect("it is writable");
    path
}

fn built(builder: DetectorBuilder, texts: &[(&str, &str)]) -> Result<Detector, Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    builder.open(&tinyvit::loader().into(), weights(folder.path(), 1, texts))
}

fn in_two_threads() -> DetectorBuilder {
    Detector::builder().threads(2).expect("two threads")
}

fn detector(texts: &[(&str, &str)]) -> Detector {
    built(in_two_threads(), texts).expect("the file was just written")
}

/// A picture of waves; another one for each `seed`.
fn waves(width: u32, height: u32, seed: u32) -> RgbImage {
    let wave = |t: u32| (127.0 + 120.0 * (t as f32 * 0.37).sin()) as u8;
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([wave(x + seed), wave(y * 2 + seed), wave(x * y + seed)])
    })
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < TOLERANCE
}

#[test]
fn a_picture_gets_one_answer_whichever_way_it_comes_in() {
    let (detector, picture) = (detector(&[]), waves(32, 32, 0));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.png");
    picture.save(&path).expect("it is writable");
    let expected = detector.detect(&picture).expect("a whole picture");
    assert_eq!((expected.width, expected.height, expected.input), (32, 32, InputFit::Native));
    let bytes = std::fs::read(&path).expect("it was written");
    let dynamic = DynamicImage::from(picture.clone());
    for other in [
        detector.detect(dynamic),
        detector.detect(Picture::from(&picture)),
        detector.detect_bytes(&bytes),
        detector.detect_path(&path),
        detector.detect_rgb8(picture.as_raw(), 32, 32),
    ] {
        assert_eq!(other.expect("the same picture"), expected);
    }
}

#[test]
fn a_picture_of_another_size_is_resized_as_a_whole_and_the_verdict_says_so() {
    let (detector, picture) = (detector(&[]), waves(90, 41, 0));
    let verdict = detector.detect(&picture).expect("a whole picture");
    assert_eq!((verdict.width, verdict.height, verdict.input), (90, 41, InputFit::Resized));
    assert!(verdict.to_string().contains("resized from 90x41"), "{verdict}");
    let (fitted, _) = Picture::from(&picture).fitted(32, 32);
    assert_eq!(detector.detect(fitted).expect("a whole picture").p_fake, verdict.p_fake);
}

#[test]
fn a_batch_has_the_answers_of_its_pictures() {
    let detector = detector(&[]);
    let pictures: Vec<RgbImage> =
        (0..BATCH as u32 + 6).map(|seed| waves(32 + seed % 3, 32, seed)).collect();
    let batch = detector.detect_batch(&pictures).expect("whole pictures");
    assert_eq!(batch.len(), pictures.len());
    for (picture, verdict) in pictures.iter().zip(&batch).step_by(7) {
        let alone = detector.detect(picture).expect("a whole picture");
        assert!(near(alone.p_fake, verdict.p_fake), "{alone:?} {verdict:?}");
        assert_eq!(alone.width, verdict.width);
    }
    assert!(detector.detect_batch(Vec::<RgbImage>::new()).expect("none").is_empty());
}

#[test]
fn the_weight_file_calibrates() {
    let plain = detector(&[]);
    let warm = detector(&[("temperature", "4"), ("threshold", "0.4")]);
    let picture = waves(32, 32, 5);
    let [plain, warm] = [&plain, &warm].map(|d| d.detect(&picture).expect("a whole picture"));
    let logit = |p: f32| (p / (1.0 - p)).ln();
    assert!(near(logit(plain.p_fake) / 4.0, logit(warm.p_fake)), "{plain:?} {warm:?}");
    assert_eq!((plain.threshold, warm.threshold), (0.5, 0.4));
}

#[test]
fn the_threshold_decides_and_must_be_a_probability() {
    let (detector, picture) = (detector(&[]), waves(32, 32, 1));
    let label = |threshold: f32| {
        let detector = detector.clone().with_threshold(threshold).expect("a probability");
        detector.detect(&picture).expect("a whole picture").label
    };
    assert_eq!((label(0.0), label(1.0)), (Label::Fake, Label::Real));
    for threshold in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        for refused in [
            detector.clone().with_threshold(threshold),
            built(Detector::builder().threshold(threshold), &[]),
        ] {
            let refused = refused.map(|_| ());
            let is_named = matches!(refused, Err(Error::Detector(DetectorError::Threshold { .. })));
            assert!(is_named, "{threshold}");
        }
    }
}

#[test]
fn neither_threads_nor_device_change_the_answer() {
    let (detector, picture) = (detector(&[]), waves(32, 32, 9));
    let expected = detector.detect(&picture).expect("a whole picture").p_fake;
    for n_threads in [1, 3] {
        let threads = Threads::new(n_threads).expect("a few threads");
        let other = built(Detector::builder().in_threads(&threads), &[]).expect("just written");
        assert_eq!(other.threads().n_threads(), n_threads);
        assert_eq!(other.detect(&picture).expect("a whole picture").p_fake, expected);
    }
    for name in device::compiled() {
        let device = device::parse(name).expect("it is compiled in");
        let other = built(in_two_threads().device(&device), &[]).expect("it was just written");
        let found = other.detect(&picture).expect("a whole picture").p_fake;
        assert!(near(found, expected), "{name}: {found} {expected}");
    }
}

#[test]
fn scores_are_the_probabilities_of_the_verdicts_for_one_logit_and_for_two() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for n_classes in [1, 2] {
        let path = weights(folder.path(), n_classes, &[("temperature", "1.5")]);
        let detector = Detector::open(&tinyvit::loader().into(), path);
        let detector = detector.expect("it was just written");
        let pictures = [waves(32, 32, 2), waves(32, 32, 3)].map(Picture::from);
        let verdicts = detector.detect_batch(&pictures).expect("whole pictures");
        let images = tensor_from_rgb8(&pictures, &Device::flex()).expect("one size");
        assert_eq!(detector.classifier().logits(images.clone()).dims(), [2, 2]);
        let scores = detector.scores(images).into_data().try_to_vec::<f32>().expect("floats");
        for (score, verdict) in scores.into_iter().zip(verdicts) {
            assert!(near(score, verdict.p_fake), "{score} {verdict:?}");
        }
    }
}

#[test]
fn two_looks_mean_the_logits_of_a_picture_and_its_mirror_image() {
    let once = detector(&[("temperature", "1.5")]);
    let twice = once.clone().with_mirror_averaging();
    let picture = waves(32, 32, 5);
    let mirrored = image::imageops::flip_horizontal(&picture);
    let logit = |detector: &Detector, picture: &RgbImage| {
        let p = detector.detect(picture).expect("a whole picture").p_fake;
        (p / (1.0 - p)).ln()
    };
    let [plain, other] = [&picture, &mirrored].map(|picture| logit(&once, picture));
    assert!(!near(plain, other), "the model tells them apart");
    for picture in [&picture, &mirrored] {
        assert!(near(logit(&twice, picture), (plain + other) / 2.0));
    }
}

#[test]
fn answers_come_in_the_order_of_the_inputs_and_failures_keep_their_place() {
    let detector = detector(&[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |index: usize| folder.path().join(format!("{index:03}.png"));
    for index in 0..BATCH + 10 {
        let is_broken = index % 9 == 4;
        let picture = waves(32, 32, index as u32);
        picture.save(path(index)).expect("it is writable");
        if is_broken {
            std::fs::write(path(index), b"no picture").expect("it is writable");
        }
    }
    let mut inputs: Vec<Input> = (0..BATCH + 10).map(|index| Input::file(path(index))).collect();
    let stream = std::fs::File::open(path(0)).expect("it was written");
    inputs.insert(5, Input::reader("stream", stream));
    let names: Vec<String> = inputs.iter().map(|input| input.name().to_owned()).collect();
    let mut answers: Vec<(String, Result<Verdict, Error>)> = Vec::new();
    let ended: Result<(), ()> = detector.detect_each(inputs, |name, outcome| {
        answers.push((name.to_owned(), outcome));
        Ok(())
    });
    assert_eq!(ended, Ok(()));
    let found: Vec<&String> = answers.iter().map(|(name, _)| name).collect();
    assert_eq!(found, names.iter().collect::<Vec<_>>());
    for (name, outcome) in &answers {
        let is_broken = matches!(outcome, Err(error) if error.to_string().contains(name.as_str()));
        let index = Path::new(name).file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        assert_eq!(is_broken, index.is_some_and(|index: usize| index % 9 == 4), "{name}");
    }
    let of = |name: &str| {
        let (_, outcome) = answers.iter().find(|(other, _)| other == name).expect("it was given");
        outcome.as_ref().expect("a whole picture").p_fake
    };
    assert!(near(of("stream"), of(&names[0])));
}

#[test]
fn no_more_than_a_few_batches_are_taken_ahead_of_the_answers() {
    let detector = detector(&[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.png");
    waves(32, 32, 0).save(&path).expect("it is writable");
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let inputs = (0..12 * BATCH).map(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Input::file(&path)
    });
    let answered = Cell::new(0);
    let ended: Result<(), ()> = detector.detect_each(inputs, |_, outcome| {
        outcome.expect("a whole picture");
        answered.set(answered.get() + 1);
        // One batch is answered, one waits, one is sent, and one is being decoded.
        let ahead = taken.load(Ordering::SeqCst) - (answered.get() - 1) / BATCH * BATCH;
        assert!(ahead <= 4 * BATCH, "{ahead}");
        Ok(())
    });
    assert_eq!((ended, answered.get()), (Ok(()), 12 * BATCH));
}

#[test]
fn an_error_of_the_caller_ends_the_work() {
    let detector = detector(&[]);
    let endless = (0..).map(|index: usize| PathBuf::from(format!("missing-{index}.png")));
    let mut n_answers = 0;
    let ended = detector.detect_each(endless, |_, _| {
        n_answers += 1;
        if n_answers == 3 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((ended, n_answers), (Err("enough"), 3));
}

#[test]
fn limits_and_empty_sides_are_errors() {
    let limits = DecodeLimits::default().with_max_pixels(100);
    let detector = built(in_two_threads().limits(limits), &[]).expect("it was just written");
    let mut png = std::io::Cursor::new(Vec::new());
    waves(32, 32, 0).write_to(&mut png, image::ImageFormat::Png).expect("a vector takes it");
    let error = detector.detect_bytes(png.get_ref()).expect_err("it has 1024 pixels");
    assert!(error.to_string().contains("limit of 100"), "{error}");
    assert!(detector.detect(RgbImage::new(0, 3)).is_err());
    assert!(detector.detect_rgb8(&[0; 5], 1, 1).is_err());
    assert!(detector.detect_bytes(&[]).is_err());
}

#[cfg(feature = "embedded")]
#[test]
fn the_embedded_weights_judge_a_picture() {
    let registry = tinyvit::loader().into();
    let [clean, robust] = ["native", "adversarial"]
        .map(|name| Detector::open(&registry, name).expect("they are part of the crate"));
    let embedded = tinyvit::embedded().expect("they are part of the crate");
    assert_eq!(embedded.model_name(), clean.model_name());
    for (alias, name) in [("clean", &clean), ("robust", &robust)] {
        let detector = Detector::open(&registry, alias).expect("they are part of the crate");
        assert_eq!(detector.model_name(), name.model_name());
    }
    for detector in [&clean, &robust] {
        let verdict = detector.detect(waves(32, 32, 0)).expect("a whole picture");
        assert!((0.0..=1.0).contains(&verdict.p_fake));
        assert_eq!(verdict.model, detector.model_name());
        assert!(verdict.model.starts_with("tinyvit-native@"), "{}", verdict.model);
    }
    assert_ne!(clean.model_name(), robust.model_name());
}

#[cfg(feature = "embedded")]
#[test]
fn the_plan_judges_as_the_network_does() {
    let detector = tinyvit::embedded().expect("the shipped weights load");
    let decoder = detector.decoder();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
    let paths = std::fs::read_dir(sample).expect("the sample is there");
    let pictures: Vec<Picture> = paths
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .map(|path| decoder.read_fitted(&path, 32, 32).expect("it is a picture").picture)
        .collect();
    assert_eq!(pictures.len(), 16);
    let images = tensor_from_rgb8(&pictures, &Device::flex()).expect("one size");
    let classifier = detector.classifier();
    let theirs = classifier.logits(images.clone());
    let difference = (detector.logits(images) - theirs.clone()).abs().max().into_scalar::<f32>();
    let scale = theirs.abs().max().into_scalar::<f32>();
    assert!(difference <= 1e-5 * scale, "{difference} of {scale}");
}
