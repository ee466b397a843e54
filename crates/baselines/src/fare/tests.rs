//! Whole runs of a small encoder on the mini data set.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use cifake::weights::{Precision, Source, load_configured, save_configured};
use cifake::{Decoder, Split, open_dataset};
use cifake_attacks::Epsilon;
use cifake_kernels::Products;
use cifake_training::{DataConfig, Network, TrainError, TrainedOn, TrainingData};
use cifake_vit::VitConfig;

use super::{FareConfig, FareEvent, FareRecipe, FareRun};
use crate::VitDetector;

fn encoder() -> VitConfig {
    VitConfig { side: 8, dim: 8, n_heads: 2, depth: 1, d_mlp: 8, ..VitConfig::small_32() }
}

fn recipe() -> FareRecipe {
    let levels = |levels| Epsilon::from_255(levels).expect("a radius");
    FareRecipe {
        data: DataConfig::default().with_side(8).with_validation_fraction(0.25),
        fare: FareConfig {
            epsilon: levels(8.0),
            step_size: levels(3.0),
            attack_steps: 2,
            learning_rate: 1e-3,
            warmup_steps: 2,
            steps: 7,
            batch_size: 8,
            ..FareConfig::fare2()
        },
        products: Products::F32,
        row_steps: 3,
    }
}

/// A detector with random weights in `folder`.
fn start(folder: &Path, seed: u64) -> PathBuf {
    let (path, device) = (folder.join(format!("start-{seed}.safetensors")), Device::flex());
    let model = VitDetector::draw(&encoder(), seed, &device);
    save_configured(&model, &encoder(), &[].into(), Precision::F32, &path).expect("room");
    path
}

fn run(recipe: &FareRecipe, start: &Path, folder: &Path) -> Result<FareRun, TrainError> {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let dataset = open_dataset(&mini, Some(Split::Train)).expect("the mini set is there");
    let data = TrainingData::load(&*dataset, &[], &recipe.data, &Decoder::default());
    let data = data.expect("it is whole");
    FareRun::new(recipe.clone(), Source::File(start), data, folder, &Device::flex())
}

fn weights(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("last.safetensors")).expect("a run writes it")
}

#[test]
fn a_run_that_is_broken_off_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = start(folder.path(), 1);
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    for path in [&unbroken, &broken] {
        std::fs::create_dir(path).expect("room");
    }
    let mut whole = run(&recipe(), &start, &unbroken).expect("a valid recipe");
    whole.run(&mut |_| ControlFlow::Continue(())).expect("it converges");
    let steps: Vec<_> = whole.history().iter().map(|row| row.step).collect();
    assert_eq!(steps, [3, 6, 7]);
    // Broken off within a row, and at its end.
    for stop in [2, 3, 7] {
        let mut part = run(&recipe(), &start, &broken).expect("it goes on");
        part.run(&mut |event| match event {
            FareEvent::Step { step, .. } if step == stop => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .expect("it converges");
        assert_eq!(part.step(), stop);
    }
    assert_eq!(weights(&unbroken), weights(&broken));
    let rows = |folder: &Path| std::fs::read(folder.join("metrics.csv")).expect("it is written");
    assert_eq!(rows(&unbroken), rows(&broken));
}

#[test]
fn the_head_stays_and_the_file_tells_what_it_learned_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = start(folder.path(), 1);
    let mut run = run(&recipe(), &start, folder.path()).expect("a valid recipe");
    run.run(&mut |_| ControlFlow::Continue(())).expect("it converges");
    let device = Device::flex();
    let load = |path: &Path| {
        load_configured::<VitDetector>(Source::File(path), &device).expect("a weight file")
    };
    let (before, _, _) = load(&start);
    let (after, config, info) = load(&folder.path().join("last.safetensors"));
    assert_eq!(config, encoder());
    assert!(TrainedOn::from_metadata(&info.metadata).expect("a record").is_some());
    let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().expect("floats");
    let head = |model: &VitDetector| values(model.head.weight.val());
    assert_eq!(head(&before), head(&after));
    let patches = |model: &VitDetector| {
        values(model.network.patch_embed.proj.weight.val().reshape([8, 3 * 16]))
    };
    assert_ne!(patches(&before), patches(&after));
}

#[test]
fn another_run_or_unfit_pictures_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (first, second) = (start(folder.path(), 1), start(folder.path(), 2));
    let mut begun = run(&recipe(), &first, folder.path()).expect("a valid recipe");
    begun.run(&mut |_| ControlFlow::Break(())).expect("a step");
    let refused = |recipe: &FareRecipe, start: &Path| {
        let error = run(recipe, start, folder.path()).err().expect("it is another run");
        error.to_string()
    };
    assert!(refused(&recipe(), &second).contains("weights to start from"));
    let mut other = recipe();
    other.fare.learning_rate = 2e-3;
    assert!(refused(&other, &first).contains("learning_rate"));
    let large = FareRecipe { data: recipe().data.with_side(16), ..recipe() };
    assert!(refused(&large, &first).contains("reads 8"));
    let mut many = recipe();
    many.fare.batch_size = 100_000;
    assert!(refused(&many, &first).contains("fewer than one batch"));
}
