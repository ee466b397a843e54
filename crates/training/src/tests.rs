//! Whole runs of a small network.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use cifake::Label;
use cifake::weights::{Checkpoint, Source};
use cifake_attacks::Epsilon;

use crate::parameters::Layout;
use crate::testing::{Small, SmallConfig, stripes};
use crate::{
    Adversary, Augment, Distillation, Event, Examples, Network, Teacher, TrainConfig, TrainError,
    TrainedOn, Trainer,
};

fn recipe(adversary: Option<Adversary>) -> TrainConfig {
    TrainConfig {
        epochs: 6,
        batch_size: 16,
        learning_rate: 2e-2,
        label_smoothing: 0.0,
        ema_decay: 0.5,
        augment: Augment::none(),
        adversary,
        ..TrainConfig::default()
    }
}

fn adversary(levels: f64) -> Adversary {
    Adversary {
        epsilon: Epsilon::from_255(levels).expect("it is finite"),
        guard_steps: 4,
        validation: 32,
        ..Adversary::default()
    }
}

fn trainer(config: TrainConfig, folder: &Path) -> Trainer<Small> {
    let sets = [stripes(160), stripes(64)];
    let shape = SmallConfig::new(8);
    Trainer::new(config, shape, None, sets, folder, &Device::flex()).expect("it can be run")
}

/// The averaged weights after a whole run, and the robust accuracy of its last epoch.
fn run(config: TrainConfig) -> (Vec<f32>, Option<f64>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut trainer = trainer(config, folder.path());
    trainer.run(&mut |_| ControlFlow::Continue(())).expect("the run ends");
    let robust = trainer.history().last().and_then(|row| row.robust_accuracy);
    (weights(&trainer), robust)
}

fn weights(trainer: &Trainer<Small>) -> Vec<f32> {
    let model = trainer.averaged();
    Layout::of(&model).read(&model)
}

#[test]
fn an_adversary_without_a_radius_changes_nothing() {
    let (clean, none) = run(recipe(None));
    let (attacked, some) = run(recipe(Some(adversary(0.0))));
    assert_eq!(clean, attacked);
    assert_eq!(none, None);
    assert!(some > Some(0.5), "{some:?}");
}

#[test]
fn who_was_trained_against_an_adversary_stands_better() {
    let strength = 5.0;
    let measured = Adversary { share: 0.01, ramp_epochs: 1e6, ..adversary(strength) };
    let (_, clean) = run(recipe(Some(measured)));
    for against in [
        adversary(strength),
        Adversary { share: 0.5, steps: 3, ..adversary(strength) },
        Adversary { trades: 3.0, ..adversary(strength) },
    ] {
        let (_, robust) = run(recipe(Some(against.clone())));
        let [robust, clean] = [robust, clean].map(|share| share.expect("it is measured"));
        assert!(robust > clean + 0.1, "{against:?}: {robust}, clean {clean}");
    }
}

#[test]
fn a_run_that_was_broken_off_ends_as_if_it_had_not_been() {
    // A gap that every look of the guard finds.
    let against = Adversary { share: 0.5, guard_gap: -1.0, guard_steps: 20, ..adversary(3.0) };
    let config = recipe(Some(against));
    let [whole, broken] = [0, 1].map(|_| tempfile::tempdir().expect("a temporary folder"));
    let mut unbroken = trainer(config.clone(), whole.path());
    unbroken.run(&mut |_| ControlFlow::Continue(())).expect("the run ends");
    loop {
        let mut trainer = trainer(config.clone(), broken.path());
        let before = trainer.step();
        let listener = &mut |event: Event<'_>| match event {
            Event::Step { step, .. } if step == before + 7 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        trainer.run(listener).expect("the run goes on");
        if trainer.step() == trainer.n_steps() {
            assert_eq!(weights(&trainer), weights(&unbroken));
            assert_eq!(trainer.history(), unbroken.history());
            let steps = trainer.history().last().and_then(|row| row.attack_steps);
            assert_eq!(steps, Some(1 + 60 / 20));
            for name in ["best.safetensors", "last.safetensors"] {
                let read = |folder: &Path| std::fs::read(folder.join(name)).expect("it was kept");
                assert!(read(whole.path()) == read(broken.path()), "{name} differs");
            }
            return;
        }
        assert_eq!(trainer.step(), before + 7);
    }
}

/// The file of a network that has learned, in `folder`, and its AUC on the validation set.
fn learned(folder: &Path, seed: u64) -> (std::path::PathBuf, f64) {
    let mut trainer = trainer(TrainConfig { seed, ..recipe(None) }, folder);
    trainer.run(&mut |_| ControlFlow::Continue(())).expect("the run ends");
    let aucs = trainer.history().iter().map(|row| row.validation_auc);
    (folder.join("best.safetensors"), aucs.fold(0.0, f64::max))
}

fn taught(weight: f64, n: usize) -> TrainConfig {
    let weights = vec!["named elsewhere".to_owned(); n];
    let mut config = recipe(None);
    config.augment.mixup_probability = 0.5;
    config.teacher = Some(Distillation { weights, temperature: 2.0, weight });
    config
}

#[test]
fn a_student_of_the_teacher_alone_learns_it_from_labels_that_are_all_wrong() {
    let [school, folder] = [0, 1].map(|_| tempfile::tempdir().expect("a temporary folder"));
    let (file, teachers_auc) = learned(school.path(), 1);
    let teacher = Teacher::of::<Small, _>(&[file], &Device::flex());
    let right = stripes(160);
    let pixels = (0..right.len()).flat_map(|i| right.pixels(i)).copied().collect();
    let other = |label: &Label| if *label == Label::Fake { Label::Real } else { Label::Fake };
    let wrong = right.labels().iter().map(other).collect();
    let wrong = Examples::new(pixels, wrong, 8).expect("as many bytes as before");
    let shape = SmallConfig::new(8);
    let sets = [wrong, stripes(64)];
    let mut student =
        Trainer::<Small>::new(taught(1.0, 1), shape, None, sets, folder.path(), &Device::flex())
            .and_then(|student| student.with_teacher(teacher?))
            .expect("it can be run");
    student.run(&mut |_| ControlFlow::Continue(())).expect("the run ends");
    let auc = student.history().last().expect("epochs were run").validation_auc;
    // Of labels alone it would learn to be worse than chance.
    assert!(teachers_auc > 0.7 && auc > (teachers_auc + 0.5) / 2.0, "{auc}, not {teachers_auc}");
}

#[test]
fn a_taught_run_that_was_broken_off_ends_as_if_it_had_not_been() {
    let [one, two, whole, broken] =
        [0, 1, 2, 3].map(|_| tempfile::tempdir().expect("a temporary folder"));
    let files = [learned(one.path(), 1).0, learned(two.path(), 2).0];
    let open = |files: &[std::path::PathBuf]| {
        Teacher::of::<Small, _>(files, &Device::flex()).expect("they were saved")
    };
    let taught = |folder: &Path| trainer(taught(0.5, 2), folder);
    let mut unbroken = taught(whole.path()).with_teacher(open(&files)).expect("two were named");
    unbroken.run(&mut |_| ControlFlow::Continue(())).expect("the run ends");

    let mut first = taught(broken.path()).with_teacher(open(&files)).expect("two were named");
    let mut heard = 0;
    let listener = &mut |_: Event<'_>| {
        heard += 1;
        if heard == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    first.run(listener).expect("it can be broken off");
    let [a, b] = &files;
    let swapped = taught(broken.path()).with_teacher(open(&[b.clone(), a.clone()]));
    let error = swapped.map(|_| ()).expect_err("not the teacher of the checkpoint").to_string();
    assert!(error.contains("another teacher"), "{error}");
    assert!(taught(broken.path()).with_teacher(open(&files[..1])).is_err());
    assert!(taught(broken.path()).run(&mut |_| ControlFlow::Continue(())).is_err());
    let mut second = taught(broken.path()).with_teacher(open(&files)).expect("the same");
    assert!(second.step() > 0 && second.step() < second.n_steps());
    second.run(&mut |_| ControlFlow::Continue(())).expect("the run ends");
    assert_eq!(weights(&second), weights(&unbroken));
    let (untaught, _) = run(TrainConfig { teacher: None, ..self::taught(0.5, 2) });
    assert_ne!(weights(&second), untaught);
}

fn go_on(trainer: &mut Trainer<Small>) {
    trainer.run(&mut |_| ControlFlow::Continue(())).expect("the run ends");
}

/// Runs `n_steps` steps in `folder` and writes a checkpoint.
fn break_off(config: TrainConfig, folder: &Path, n_steps: usize) {
    let listener = &mut |event: Event<'_>| match event {
        Event::Step { step, .. } if step == n_steps => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    trainer(config, folder).run(listener).expect("the run can be broken off");
}

/// The error of a run in `folder` that cannot go on.
fn refusal(config: TrainConfig, start: Option<Small>, folder: &Path) -> String {
    let (sets, shape) = ([stripes(160), stripes(64)], SmallConfig::new(8));
    let resumed = Trainer::new(config, shape, start, sets, folder, &Device::flex());
    resumed.map(|_: Trainer<Small>| ()).expect_err("it is another run").to_string()
}

#[test]
fn a_run_does_not_go_on_from_other_weights_than_it_began_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    break_off(recipe(None), folder.path(), 7);
    let other = Small::draw(&SmallConfig::new(8), 99, &Device::flex());
    let error = refusal(recipe(None), Some(other), folder.path());
    assert!(error.contains("another set of weights to start from"), "{error}");
    assert_eq!(trainer(recipe(None), folder.path()).step(), 7);
}

#[test]
fn a_raised_number_of_epochs_is_refused_in_a_short_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    break_off(TrainConfig { epochs: 1, ..recipe(None) }, folder.path(), 10);
    let error = refusal(recipe(None), None, folder.path());
    assert!(error.contains("another recipe (`epochs` was 1 and is 6)"), "{error}");
    assert!(error.len() < 160 + folder.path().as_os_str().len(), "{error}");
}

/// The checkpoint at `path` as version 1 wrote it: the progress in the metadata, no checksum and no
/// record of the start.
fn rewrite_as_version_1(path: &Path) {
    let bytes = std::fs::read(path).expect("it was written");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("it is whole");
    let progress = file.tensor("progress").expect("it holds it").data();
    let mut progress: serde_json::Value = serde_json::from_slice(progress).expect("JSON");
    progress.as_object_mut().expect("an object").remove("start").expect("it is recorded");
    let metadata = [("progress".to_owned(), progress.to_string())].into();
    let vectors = ["weights", "moment_1", "moment_2", "average"];
    let views = vectors.map(|name| (name, file.tensor(name).expect("it holds it")));
    let old = safetensors::serialize(views, Some(metadata)).expect("four vectors");
    std::fs::write(path, old).expect("the folder is writable");
}

#[test]
fn a_run_goes_on_from_a_checkpoint_of_version_1_to_the_same_bits() {
    let [whole, broken] = [0, 1].map(|_| tempfile::tempdir().expect("a temporary folder"));
    let mut unbroken = trainer(recipe(None), whole.path());
    go_on(&mut unbroken);
    break_off(recipe(None), broken.path(), 13);
    rewrite_as_version_1(&broken.path().join("checkpoint.safetensors"));
    let mut resumed = trainer(recipe(None), broken.path());
    assert_eq!(resumed.step(), 13);
    go_on(&mut resumed);
    assert_eq!(weights(&resumed), weights(&unbroken));
    assert_eq!(resumed.history(), unbroken.history());
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    break_off(recipe(None), folder.path(), 7);
    let path = folder.path().join("checkpoint.safetensors");
    let bytes = std::fs::read(&path).expect("it was written");
    let at = |text: &[u8]| bytes.windows(text.len()).position(|part| part == text);
    let step = at(b"\"step\":7").expect("the progress is readable") + 7;
    // Another step, and a bit of the last vector.
    for place in [step, bytes.len() - 40] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        std::fs::write(&path, damaged).expect("the folder is writable");
        let error = refusal(recipe(None), None, folder.path());
        assert!(error.contains("its checksum is wrong"), "{error}");
    }
}

#[test]
fn a_step_that_diverges_leaves_the_checkpoint_of_before() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The rate rises, and each step of the decay multiplies the weights by up to 10^4.
    let config = TrainConfig {
        learning_rate: 100.0,
        weight_decay: 100.0,
        warmup_epochs: 1.0,
        checkpoint_steps: 1,
        ..recipe(None)
    };
    let mut trainer = trainer(config.clone(), folder.path());
    let error = trainer.run(&mut |_| ControlFlow::Continue(())).expect_err("it overflows");
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    let path = folder.path().join("checkpoint.safetensors");
    let resumed = path.exists().then(|| self::trainer(config, folder.path()).step());
    assert_eq!(resumed.unwrap_or(0), trainer.step(), "the last good step");
    assert!(weights(&trainer).iter().all(|weight| weight.is_finite()));
}

#[test]
fn weights_record_the_data_set_that_they_were_trained_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let record = TrainedOn::new(
        &crate::DataConfig::default(),
        crate::ValidationSource::HeldBack,
        "0123".to_owned(),
    );
    let config = TrainConfig { epochs: 1, ..recipe(None) };
    go_on(&mut trainer(config, folder.path()).with_record(record.clone()));
    for name in ["last.safetensors", "best.safetensors"] {
        let path = folder.path().join(name);
        let file = Checkpoint::open(Source::File(&path)).expect("it was written");
        let found = TrainedOn::from_metadata(&file.info().metadata).expect("it can be read");
        assert_eq!(found, Some(record.clone()), "{name}");
    }
    let path = folder.path().join("best.safetensors");
    let mean = crate::Averaged::<Small>::of(&[&path, &path], &Device::flex()).expect("it is whole");
    assert_eq!(mean.notes.get(TrainedOn::KEY), Some(&record.to_json()));
}

#[test]
fn mixtures_have_no_label_to_attack() {
    let mut config = recipe(Some(adversary(1.0)));
    config.augment.mixup_probability = 0.5;
    let error = config.validate().expect_err("they exclude each other");
    assert!(error.contains("mixup"), "{error}");
}
