//! Robust accuracy over a data set, and going on with it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use cifake::{Classifier, Differentiable, open_dataset};
use cifake_attacks::{
    Attack, Ensemble, Epsilon, Error, Goal, Pgd, RobustnessReport, RunOptions, Square, Victim,
    Warning, evaluate_robustness,
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

fn evaluate(
    model: &RedOverBlue,
    data: &Path,
    out: &Path,
    seed: u64,
) -> Result<RobustnessReport, Error> {
    let dataset = open_dataset(data, None).expect("pictures were written");
    let epsilon = Epsilon::from_255(5.0).expect("finite");
    let suite: Vec<Box<dyn Attack>> = vec![
        Box::new(Pgd::linf(epsilon).with_steps(20)),
        Box::new(Square::new(cifake_attacks::Norm::Linf, epsilon).with_queries(50)),
    ];
    let mut options = RunOptions::new((6, 4), out);
    (options.batch_size, options.seed) = (3, seed);
    evaluate_robustness(
        &Victim::new(model),
        "red over blue",
        &*dataset,
        &suite,
        &options,
        &mut |_| {},
    )
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
    assert!(report.to_string().contains("PGD-20 linf 5/255"), "{report}");
}

#[test]
fn an_evaluation_goes_on_where_it_was_broken_off() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    write_pictures(&data);
    let model = RedOverBlue::default();
    let whole = evaluate(&model, &data, &out, 1).expect("it runs");
    let n_calls = model.n_calls.swap(0, Ordering::Relaxed);
    let shard = out.join("pgd-20-linf-5-255").join("00001.json");
    std::fs::remove_file(&shard).expect("the second batch was written");
    let again = evaluate(&model, &data, &out, 1).expect("it goes on");
    for (ours, theirs) in again.attacks.iter().zip(&whole.attacks) {
        assert_eq!(ours.outcomes, theirs.outcomes);
    }
    assert!(model.n_calls.load(Ordering::Relaxed) < n_calls / 2);
    let error = evaluate(&model, &data, &out, 2).expect_err("another seed is another run");
    assert!(matches!(error, Error::OtherRun { .. }), "{error}");
    std::fs::write(&shard, "{").expect("it is writable");
    let error = evaluate(&model, &data, &out, 1).expect_err("half a file");
    assert!(matches!(error, Error::Shard { .. }), "{error}");
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
        let victim = Victim::new(model);
        evaluate_robustness(&victim, name, &*dataset, &suite, &options, &mut |_| {})
            .expect("it runs")
            .warnings
    };
    assert_eq!(warnings(&RedOverBlue::default(), "open"), []);
    assert_eq!(warnings(&Steps(RedOverBlue::default()), "hidden"), [Warning::HiddenGradients]);
}
