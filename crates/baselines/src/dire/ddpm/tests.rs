//! Whole runs of a small network on the mini data set.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use cifake::weights::{Source, load_configured};
use cifake::{Decoder, Split, open_dataset};
use cifake_training::{DataConfig, TrainError, TrainedOn, TrainingData};

use super::{Ddpm, DdpmConfig, DdpmEvent, DdpmRecipe};
use crate::dire::{UNet, UNetConfig};

fn recipe() -> DdpmRecipe {
    DdpmRecipe {
        model: UNetConfig {
            image_size: 8,
            model_channels: 4,
            channel_mult: vec![1, 2],
            attention_resolutions: vec![4],
            num_head_channels: Some(4),
            num_groups: 2,
            ..UNetConfig::ddpm_32()
        },
        data: DataConfig::default().with_side(8).with_validation_fraction(0.25),
        train: DdpmConfig {
            epochs: 2,
            batch_size: 4,
            warmup_steps: 2,
            learned_steps: 20,
            sample_steps: 2,
            ..DdpmConfig::default()
        },
    }
}

fn data(recipe: &DdpmRecipe) -> TrainingData {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let dataset = open_dataset(&mini, Some(Split::Train)).expect("the mini set is there");
    TrainingData::load(&*dataset, &[], &recipe.data, &Decoder::default()).expect("it is whole")
}

fn run(recipe: &DdpmRecipe, folder: &Path) -> Result<Ddpm, TrainError> {
    Ddpm::new(recipe.clone(), &data(recipe), folder, &Device::flex())
}

#[test]
fn a_run_that_is_broken_off_ends_with_the_same_bytes() {
    let (recipe, folder) = (recipe(), tempfile::tempdir().expect("a temporary folder"));
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    for path in [&unbroken, &broken] {
        std::fs::create_dir(path).expect("room");
    }
    let mut whole = run(&recipe, &unbroken).expect("a valid recipe");
    let mut seen = Vec::new();
    let mut listen = |event: DdpmEvent| {
        if let DdpmEvent::Step { step, .. } = event {
            seen.push(step);
        }
        ControlFlow::Continue(())
    };
    whole.run(&mut listen).expect("it converges");
    assert!(whole.n_steps() >= 6 && whole.history().len() == 2, "{} steps", whole.n_steps());
    assert_eq!(seen, (1..=whole.n_steps()).collect::<Vec<_>>());
    // Broken off within each epoch, and at the end of the first.
    let mut n_starts = 0;
    while n_starts == 0 || run(&recipe, &broken).expect("it goes on").step() < whole.n_steps() {
        let mut part = run(&recipe, &broken).expect("it goes on");
        let stop = part.step() + if n_starts == 1 { 1 } else { 2 };
        part.run(&mut |event| match event {
            DdpmEvent::Step { step, .. } if step == stop => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .expect("it converges");
        n_starts += 1;
    }
    assert!(n_starts > 2);
    for name in ["last.safetensors", "metrics.csv", "samples-001.png", "samples-002.png"] {
        let [ours, theirs] = [&unbroken, &broken].map(|path| std::fs::read(path.join(name)));
        assert!(ours.expect("written") == theirs.expect("written"), "{name} differs");
    }
    let source = unbroken.join("last.safetensors");
    let (_, config, info) =
        load_configured::<UNet>(Source::File(&source), &Device::flex()).expect("a weight file");
    assert_eq!(config, recipe.model);
    let record = TrainedOn::from_metadata(&info.metadata).expect("a record");
    assert_eq!(record, Some(data(&recipe).record));
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused() {
    let (first, folder) = (recipe(), tempfile::tempdir().expect("a temporary folder"));
    let mut begun = run(&first, folder.path()).expect("a valid recipe");
    begun.run(&mut |_| ControlFlow::Break(())).expect("one step");
    let mut other = first.clone();
    other.train.learning_rate = 1.0;
    let error = run(&other, folder.path()).err().expect("another recipe").to_string();
    assert!(error.contains("learning_rate"), "{error}");
    let mut large = first;
    large.train.batch_size = 100;
    let error = run(&large, &folder.path().join("none")).err().expect("few pictures").to_string();
    assert!(error.contains("fewer than one batch of 100"), "{error}");
}

/// A network that has learned nothing finds no noise, so that its loss is the variance of the noise, 1.
#[test]
fn the_loss_falls_from_the_variance_of_the_noise() {
    let (mut recipe, folder) = (recipe(), tempfile::tempdir().expect("a temporary folder"));
    (recipe.train.epochs, recipe.train.learning_rate) = (25, 1e-2);
    let mut first = None;
    let mut run = run(&recipe, folder.path()).expect("a valid recipe");
    let mut listen = |event: DdpmEvent| {
        if let DdpmEvent::Step { loss, .. } = event {
            first.get_or_insert(loss);
        }
        ControlFlow::Continue(())
    };
    run.run(&mut listen).expect("it converges");
    assert!((first.expect("a step") - 1.0).abs() < 0.15, "{first:?}");
    let last = run.history().last().expect("25 epochs");
    assert!(last.train_loss < 0.6 && last.validation_loss < 0.8, "{last}");
}
