//! A set of attacked pictures, built at once or with interruptions.
#![cfg(feature = "parquet")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::tensor::Tensor;
use cifake::weights::sha256_hex;
use cifake::{Classifier, Dataset, Differentiable, Label, Split, open_dataset};
use cifake_attacks::{
    Attack, Build, BuildManifest, DctNoise, Error, Generated, ModelId, Pgd, PixelNoise, RunOptions,
    TargetModel, evaluate_built,
};

/// Calls bright pictures FAKE.
struct Bright;

impl Classifier for Bright {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = images.dims();
        let mean = images.reshape([batch, channels * height * width]).mean_dim(1) - 0.5;
        Tensor::cat(vec![-mean.clone(), mean], 1)
    }
}

impl Differentiable for Bright {}

/// Six pictures of either label, named like CIFAKE's.
fn write_pictures(folder: &Path) {
    for label in ["FAKE", "REAL"] {
        std::fs::create_dir_all(folder.join(label)).expect("the folder is writable");
        for i in 1..=6u8 {
            let image = image::RgbImage::from_fn(8, 6, |x, y| {
                image::Rgb([40 * i, (20 * x) as u8, (30 * y) as u8])
            });
            image.save(folder.join(label).join(format!("{i} (10).png"))).expect("it is writable");
        }
    }
}

fn suite() -> Vec<Box<dyn Attack>> {
    vec![
        Box::new(Pgd::reference_l2()),
        Box::new(DctNoise::reference()),
        Box::new(PixelNoise::reference()),
    ]
}

fn run(
    dataset: &dyn Dataset,
    generated: &[Generated],
    options: &RunOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<BuildManifest, Error> {
    let build = Build {
        target: TargetModel::new(&Bright),
        surrogate: &ModelId::new("bright", "0"),
        dataset,
        suite: &suite(),
        split: Split::Test,
        per_file: 1000,
        generated,
    };
    build.run(options, progress)
}

fn build(
    data: &Path,
    out: &Path,
    seed: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<BuildManifest, Error> {
    let dataset = open_dataset(data, None).expect("pictures were written");
    let mut options = RunOptions::new((8, 6), out);
    (options.batch_size, options.seed) = (5, seed);
    run(&*dataset, &[], &options, progress)
}

#[test]
fn an_interrupted_build_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, whole, broken] = ["data", "whole", "broken"].map(|name| folder.path().join(name));
    write_pictures(&data);
    let manifest = build(&data, &whole, 3, &mut |_, _| {}).expect("it builds");
    for stop in [1, 12, 20, 36] {
        let interrupted = AssertUnwindSafe(|| {
            build(&data, &broken, 3, &mut |done, _| assert!(done < stop, "broken off"))
        });
        assert!(catch_unwind(interrupted).is_err(), "it was to stop at {stop}");
    }
    assert_eq!(build(&data, &broken, 3, &mut |_, _| {}).expect("it goes on"), manifest);
    for file in &manifest.files {
        let bytes = std::fs::read(broken.join(&file.name)).expect("it was built");
        assert_eq!(sha256_hex(&bytes), file.sha256);
    }
    let read = |folder: &Path| std::fs::read(folder.join("manifest.json")).expect("it was built");
    assert_eq!(read(&broken), read(&whole));
    let error = build(&data, &broken, 4, &mut |_, _| {}).expect_err("another seed");
    assert!(matches!(error, Error::OtherRun { .. }), "{error}");
}

#[test]
fn a_damaged_file_is_written_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    write_pictures(&data);
    let manifest = build(&data, &out, 3, &mut |_, _| {}).expect("it builds");
    let path = out.join(&manifest.files[1].name);
    let sound = std::fs::read(&path).expect("it was built");
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    for is_finished in [true, false] {
        std::fs::write(&path, &damaged).expect("it is writable");
        if !is_finished {
            std::fs::remove_file(out.join("manifest.json")).expect("it was built");
        }
        assert_eq!(build(&data, &out, 3, &mut |_, _| {}).expect("it builds again"), manifest);
        assert_eq!(std::fs::read(&path).expect("it was built"), sound);
    }
}

#[test]
fn other_pictures_with_the_same_names_are_another_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    write_pictures(&data);
    build(&data, &out, 3, &mut |_, _| {}).expect("it builds");
    let [one, two] = ["1 (10).png", "2 (10).png"].map(|name| data.join("REAL").join(name));
    std::fs::copy(one, two).expect("both were written");
    let error = build(&data, &out, 3, &mut |_, _| {}).expect_err("a picture has changed");
    let text = error.to_string();
    assert!(matches!(error, Error::OtherRun { .. }) && text.contains("(samples: "), "{text}");
    assert!(text.len() < 400, "{text}");
}

#[test]
fn a_build_of_an_older_version_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    write_pictures(&data);
    build(&data, &out, 3, &mut |_, _| {}).expect("it builds");
    let path = out.join("run.json");
    let text = std::fs::read_to_string(&path).expect("it was built");
    let mut run: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let fields = run.as_object_mut().expect("it is an object");
    fields.remove("version");
    fields.remove("weights");
    fields.insert("attacks".to_owned(), serde_json::json!(["Pgd { norm: L2 }", "b", "c"]));
    std::fs::write(&path, run.to_string()).expect("it is writable");
    let error = build(&data, &out, 3, &mut |_, _| {}).expect_err("it names no version");
    assert!(matches!(error, Error::OtherVersion { .. }), "{error}");
}

#[test]
fn what_is_built_is_a_data_set_with_labels_and_classes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    write_pictures(&data);
    let mut told = Vec::new();
    let manifest = build(&data, &out, 3, &mut |done, total| told.push((done, total)));
    let manifest = manifest.expect("it builds");
    assert_eq!(told.last(), Some(&(36, 36)));
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(manifest.files.len(), 3);
    let dataset = open_dataset(&out, Some(Split::Test)).expect("it is a data set");
    assert_eq!(dataset.len(), 36);
    let n_fake = dataset.samples().iter().filter(|s| s.label == Label::Fake).count();
    assert_eq!(n_fake, 18);
    assert!(dataset.samples().iter().all(|sample| sample.class == Some(cifake::Class::Truck)));
    let source = open_dataset(&data, None).expect("pictures were written");
    let pixels = |dataset: &dyn cifake::Dataset, index: usize| {
        cifake::load_pixels(dataset, &[index], (8, 6), &cifake::Decoder::default()).expect("a PNG")
    };
    // The last file holds the green pixels, in the order of the source.
    let (clean, green) = (pixels(&*source, 0), pixels(&*dataset, 24));
    let differing = clean.chunks_exact(3).zip(green.chunks_exact(3)).filter(|(a, b)| a != b);
    let differing: Vec<_> = differing.collect();
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0].1, [0, 255, 0]);
}

#[test]
fn a_built_set_is_evaluated_by_attack_and_by_generator() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out, other] = ["data", "out", "other"].map(|name| folder.path().join(name));
    write_pictures(&data);
    std::fs::create_dir(&other).expect("the folder is writable");
    for (name, level) in [("dark.png", 10), ("bright.png", 250)] {
        let image = image::RgbImage::from_pixel(80, 60, image::Rgb([level; 3]));
        image.save(other.join(name)).expect("it is writable");
    }
    let generated = [Generated {
        generator: "Painter 2".to_owned(),
        class: Some(cifake::Class::Frog),
        prompt: Some("a frog".to_owned()),
        licence: "CC0".to_owned(),
        folder: other,
    }];
    let dataset = open_dataset(&data, None).expect("pictures were written");
    let options = RunOptions::new((8, 6), &out);
    let manifest = run(&*dataset, &generated, &options, &mut |_, _| {}).expect("it builds");
    assert_eq!(manifest.set, "CIFAKE++");
    let mut told = Vec::new();
    let report = evaluate_built(&Bright, &out, &options, &mut |done, all| told.push((done, all)))
        .expect("it is whole");
    assert_eq!(told.last(), Some(&(38, 38)));
    let names: Vec<&str> = report.rows.iter().map(|row| row.origin.name()).collect();
    assert_eq!(names.last(), Some(&"Painter 2"));
    let last = report.rows.last().expect("there are rows");
    assert_eq!((last.n, last.accuracy.value), (2, 0.5));
    let attacks = &report.rows[..3];
    let mean = attacks.iter().map(|row| row.accuracy.value).sum::<f64>() / 3.0;
    let told = report.mean.expect("there are attacks");
    assert!((told.value - mean).abs() < 1e-12);
    assert!(told.low <= mean && mean <= told.high);
    let pictures = open_dataset(&out, Some(Split::Test)).expect("it is a data set");
    let (attacked, generated): (Vec<_>, Vec<_>) =
        pictures.samples().iter().partition(|sample| sample.source.is_some());
    assert_eq!(generated.len(), 2);
    assert!(generated.iter().all(|sample| sample.class == Some(cifake::Class::Frog)));
    assert_eq!(attacked[0].source.as_ref(), Some(&dataset.samples()[0].id));
    let file = out.join(&manifest.files[0].name);
    let mut bytes = std::fs::read(&file).expect("it was built");
    bytes[9] ^= 1;
    std::fs::write(&file, bytes).expect("it is writable");
    let error = evaluate_built(&Bright, &out, &options, &mut |_, _| {}).expect_err("it changed");
    assert!(matches!(error, Error::Built { .. }), "{error}");
}
