//! Robust accuracy over a data set, and the reuse of finished work.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use cifake::{Classifier, Differentiable, open_dataset};
use cifake_attacks::{
    Attack, Ensemble, Epsilon, Error, Goal, ModelId, OnePixel, Pgd, RobustnessReport, RunOptions,
    Square, TargetModel, Warning, evaluate_robustness,
};

/// Calls a picture FAKE where red outweighs blue; counts its calls.
#[derive(Default)]
struct RedOverBlue {
    n_calls: AtomicUsize,
}

impl Classifier for RedOverBlue {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.n_calls.fetch_add(1, Ordering::Relaxed);
        let [batch, channels, height, width] = images.dims();
        let means = images.reshape([batch, channels, height * width]).mean_dim(2);
        let means = means.reshape([batch, channels]);
        let z = (means.clone().narrow(1, 0, 1) - means.narrow(1, 2, 1)) * 20.0;
        Tensor::cat(vec![-z.clone(), z], 1)
    }
}

impl Differentiable for RedOverBlue {}

/// Four pictures of either label, which the model tells apart by 4, 8, 12 and 16 levels.
fn write_pictures(folder: &Path) {
    for (label, sign) in [("FAKE", 1), ("REAL", -1)] {
        std::fs::create_dir_all(folder.join(label)).expect("the folder is writable");
        for i in 1..=4i32 {
            let red = u8::try_from(128 + sign * 2 * i).expect("near the middle");
            let blue = u8::try_from(128 - sign * 2 * i).expect("near the middle");
            let pixel = image::Rgb([red, 128, blue]);
            let image = image::RgbImage::from_pixel(6, 4, pixel);
            image.save(folder.join(label).join(format!("{i}.png"))).expect("it is writable");
        }
    }
}

fn options(out: &Path, seed: u64) -> RunOptions {
    let mut options = RunOptions::new((6, 4), out);
    (options.batch_size, options.seed) = (3, seed);
    options
}

/// Weights of the model of these tests.
const WEIGHTS: &str = "0123";

fn evaluate_with(
    model: &dyn Differentiable,
    weights: &str,
    data: &Path,
    options: &RunOptions,
) -> Result<RobustnessReport, Error> {
    let dataset = open_dataset(data, None).expect("pictures were written");
    let epsilon = Epsilon::from_255(5.0).expect("finite");
    let suite: Vec<Box<dyn Attack>> = vec![
        Box::new(Pgd::linf(epsilon).with_steps(20)),
        Box::new(Square::new(cifake_attacks::Norm::Linf, epsilon).with_queries(50)),
    ];
    let id = ModelId::new("red over blue", weights);
    let target = TargetModel::new(model);
    evaluate_robustness(&target, &id, &*dataset, &suite, options, &mut |_| {})
}

fn evaluate(
    model: &RedOverBlue,
    data: &Path,
    out: &Path,
    seed: u64,
) -> Result<RobustnessReport, Error> {
    evaluate_with(model, WEIGHTS, data, &options(out, seed))
}

/// The folder in `out` whose name begins with `start`.
fn folder_of(out: &Path, start: &str) -> PathBuf {
    let entries = std::fs::read_dir(out).expect("it was written");
    let mut paths = entries.map(|entry| entry.expect("it can be read").path());
    let is_named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    paths.find(is_named).expect("the attack was run")
}

/// The files in `folder`, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("it was written");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.sort();
    files
}

#[test]
fn what_lies_within_the_radius_falls_and_the_rest_stands() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_pictures(&folder.path().join("data"));
    let model = RedOverBlue::default();
    let out = folder.path().join("out");
    let report = evaluate(&model, &folder.path().join("data"), &out, 1).expect("it runs");
    let row = &report.attacks[0];
    // A radius of 5 levels moves red minus blue by 10: 4 and 8 fall, 12 and 16 stand.
    assert_eq!((row.n, row.clean.value, row.robust_accuracy.value), (8, 1.0, 0.5), "{report}");
    assert_eq!(row.constant, 0.5);
    assert_eq!(row.epsilon.map(Epsilon::value), Some(5.0 / 255.0));
    assert_eq!(report.clean.accuracy.value, 1.0);
    let worse = row.worst_label.expect("both labels are there");
    assert_eq!(worse.value, 0.5);
    assert!(worse.low < 0.5 && worse.high <= 1.0);
    assert!(row.max_linf <= 5.0 / 255.0 + 1e-6, "{}", row.max_linf);
    assert!(row.outcomes.iter().all(|outcome| outcome.n_gradients == 20));
    assert!(report.attacks[1].outcomes.iter().all(|outcome| outcome.n_queries <= 50));
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    for words in ["PGD-20 linf 5/255", "\nworse label: the lower of", "\n(constant answer): the"] {
        assert!(report.to_string().contains(words), "{report}");
    }
}

#[test]
fn an_interrupted_evaluation_resumes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    write_pictures(&data);
    let model = RedOverBlue::default();
    let whole = evaluate(&model, &data, &out, 1).expect("it runs");
    let n_calls = model.n_calls.swap(0, Ordering::Relaxed);
    let shard = files(&folder_of(&out, "pgd-20-linf-5-255")).remove(1);
    std::fs::remove_file(&shard).expect("three batches were written");
    let again = evaluate(&model, &data, &out, 1).expect("it resumes");
    for (ours, theirs) in again.attacks.iter().zip(&whole.attacks) {
        assert_eq!(ours.outcomes, theirs.outcomes);
    }
    assert!(model.n_calls.load(Ordering::Relaxed) < n_calls / 2);
    assert!(shard.exists(), "the same batch has the same file");
    let text = std::fs::read_to_string(&shard).expect("it is a text");
    let changed = text.replacen("\"seconds\":", "\"seconds\":1", 1);
    std::fs::write(&shard, changed).expect("it is writable");
    let error = evaluate(&model, &data, &out, 1).expect_err("a result was changed");
    assert!(matches!(error, Error::ChangedShard { .. }), "{error}");
    std::fs::write(&shard, "{").expect("it is writable");
    let error = evaluate(&model, &data, &out, 1).expect_err("half a file");
    assert!(matches!(error, Error::Shard { .. }), "{error}");
}

#[test]
fn other_pictures_with_the_same_names_get_numbers_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, other, out] = ["data", "other", "out"].map(|name| folder.path().join(name));
    write_pictures(&data);
    write_pictures(&other);
    for i in 1..=4 {
        // All are called FAKE now.
        let [fake, real] = ["FAKE", "REAL"].map(|label| other.join(label).join(format!("{i}.png")));
        std::fs::copy(fake, real).expect("both were written");
    }
    let model = RedOverBlue::default();
    let clean = |data: &Path, out: &Path| {
        evaluate(&model, data, out, 1).expect("it runs").clean.accuracy.value
    };
    assert_eq!([clean(&data, &out), clean(&other, &out), clean(&data, &out)], [1.0, 0.5, 1.0]);
    let alone = evaluate(&model, &other, &folder.path().join("alone"), 1).expect("it runs");
    let shared = evaluate(&model, &other, &out, 1).expect("it runs");
    for (alone, shared) in alone.attacks.iter().zip(&shared.attacks) {
        assert_eq!(alone.outcomes, shared.outcomes);
    }
}

/// Calls every picture REAL.
struct AlwaysReal;

impl Classifier for AlwaysReal {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let z = images.clone().narrow(1, 0, 1).narrow(2, 0, 1).narrow(3, 0, 1);
        let z = z.reshape([images.dims()[0], 1]) * 1e-3 + 1.0;
        Tensor::cat(vec![z.clone(), -z], 1)
    }
}

impl Differentiable for AlwaysReal {}

#[test]
fn other_weights_seeds_and_parameters_get_numbers_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    write_pictures(&data);
    let model = RedOverBlue::default();
    evaluate(&model, &data, &out, 1).expect("it runs");
    let other = evaluate_with(&AlwaysReal, "4567", &data, &options(&out, 1)).expect("it runs");
    assert_eq!(other.clean.accuracy.value, 0.5);
    let n_calls = model.n_calls.swap(0, Ordering::Relaxed);
    evaluate(&model, &data, &out, 2).expect("it runs");
    assert_eq!(model.n_calls.load(Ordering::Relaxed), n_calls, "another seed is attacked anew");
}

#[test]
fn a_file_of_another_run_is_refused_in_few_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out, other] = ["data", "out", "other"].map(|name| folder.path().join(name));
    write_pictures(&data);
    let model = RedOverBlue::default();
    evaluate(&model, &data, &out, 1).expect("it runs");
    evaluate(&model, &data, &other, 2).expect("it runs");
    let from = files(&folder_of(&other, "pgd-20")).remove(0);
    let to = folder_of(&out, "pgd-20").join("moved.json");
    std::fs::copy(from, &to).expect("both were written");
    let error = evaluate(&model, &data, &out, 1).expect_err("it was moved by hand");
    assert!(matches!(error, Error::OtherRun { .. }), "{error}");
    let text = error.to_string().replace(&to.display().to_string(), "FILE");
    assert!(text.contains("(seed: 2 there, 1 here)"), "{text}");
    assert!(text.len() < 200, "{text}");
}

#[test]
fn more_samples_extend_a_finished_evaluation() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out, whole] = ["data", "out", "whole"].map(|name| folder.path().join(name));
    write_pictures(&data);
    let model = RedOverBlue::default();
    let run = |out: &Path, indices: &[usize]| {
        let mut options = options(out, 1);
        options.indices = Some(indices.to_vec());
        model.n_calls.store(0, Ordering::Relaxed);
        let report = evaluate_with(&model, WEIGHTS, &data, &options).expect("it runs");
        (report, model.n_calls.load(Ordering::Relaxed))
    };
    run(&out, &[1, 2, 4, 6]);
    let (extended, n_more) = run(&out, &[0, 1, 2, 4, 5, 6]);
    let (alone, n_all) = run(&whole, &[0, 1, 2, 4, 5, 6]);
    assert!(n_more < n_all, "{n_more} of {n_all}");
    for (extended, alone) in extended.attacks.iter().zip(&alone.attacks) {
        assert_eq!(extended.outcomes, alone.outcomes);
    }
    let (fewer, _) = run(&out, &[2, 5]);
    assert_eq!(fewer.attacks[0].n, 2);
}

#[test]
fn a_picture_that_cannot_be_decoded_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    write_pictures(&data);
    std::fs::write(data.join("REAL").join("2.png"), "no picture").expect("it is writable");
    let error = evaluate(&RedOverBlue::default(), &data, &out, 1).expect_err("one is broken");
    assert!(error.to_string().contains("2.png"), "{error}");
}

/// [`RedOverBlue`], rounded to steps whose gradient is zero.
struct Steps(RedOverBlue);

impl Classifier for Steps {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let logits = self.0.logits(images);
        // The derivative of rounding is 0; a slope that points the wrong way is added.
        (logits.clone() * 8.0).round() / 8.0 - logits * 1e-3
    }
}

impl Differentiable for Steps {}

#[test]
fn gradients_that_hide_something_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    write_pictures(&data);
    let dataset = open_dataset(&data, None).expect("pictures were written");
    let epsilon = Epsilon::from_255(5.0).expect("finite");
    let suite: Vec<Box<dyn Attack>> = vec![Box::new(Ensemble::new(
        "both",
        Goal::Untargeted,
        vec![
            Box::new(Pgd::linf(epsilon)),
            Box::new(Square::new(cifake_attacks::Norm::Linf, epsilon).with_queries(200)),
        ],
    ))];
    let warnings = |model: &dyn Differentiable, name: &str| {
        let options = RunOptions::new((6, 4), out.join(name));
        let target = TargetModel::new(model);
        let id = ModelId::new(name, "0");
        evaluate_robustness(&target, &id, &*dataset, &suite, &options, &mut |_| {})
            .expect("it runs")
            .warnings
    };
    assert_eq!(warnings(&RedOverBlue::default(), "open"), []);
    assert_eq!(warnings(&Steps(RedOverBlue::default()), "hidden"), [Warning::HiddenGradients]);
}

#[test]
fn progress_moves_while_a_batch_is_attacked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    write_pictures(&data);
    let dataset = open_dataset(&data, None).expect("class folders");
    let suite: [Box<dyn Attack>; 1] = [Box::new(OnePixel::new().with_budget(4, 5))];
    let (model, id) = (RedOverBlue::default(), ModelId::new("toy", WEIGHTS));
    let mut seen = Vec::new();
    evaluate_robustness(
        &TargetModel::new(&model),
        &id,
        &*dataset,
        &suite,
        &options(&out, 1),
        &mut |progress| seen.push((progress.done, progress.under_way)),
    )
    .expect("every picture can be attacked");
    let in_first = seen.iter().filter(|(done, under_way)| *done == 0 && *under_way > 0.0);
    assert!(in_first.count() >= 2, "{seen:?}");
    assert!(seen.iter().all(|&(_, under_way)| (0.0..=3.0).contains(&under_way)), "{seen:?}");
    assert!(seen.is_sorted_by_key(|&(done, under_way)| done as f64 + under_way), "{seen:?}");
    assert_eq!(seen.last(), Some(&(8, 0.0)));
}
