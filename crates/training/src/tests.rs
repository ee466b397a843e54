//! Whole runs of a small network.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use cifake_attacks::Epsilon;

use crate::parameters::Layout;
use crate::testing::{Small, SmallConfig, stripes};
use crate::{Adversary, Augment, Event, TrainConfig, Trainer};

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
    let shape = SmallConfig { width: 8 };
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
    let measured = Adversary { share: 0.01, ramp_epochs: 1e9, ..adversary(strength) };
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
    let against = Adversary { share: 0.5, guard_gap: -2.0, guard_steps: 20, ..adversary(3.0) };
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

#[test]
fn mixtures_have_no_label_to_attack() {
    let mut config = recipe(Some(adversary(1.0)));
    config.augment.mixup_probability = 0.5;
    let error = config.validate().expect_err("they exclude each other");
    assert!(error.contains("mixup"), "{error}");
}
