//! Robust training of an encoder: the numbers of the same steps in PyTorch. `fixtures/fare.py` makes the golden file.

use std::path::Path;

use baselines::{Fare, FareConfig};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use cifake::weights::Source;
use cifake_attacks::Epsilon;
use cifake_vit::{Vit, VitConfig};
use testkit::{Fixture, assert_close};

const LIMIT: f32 = 1e-4;

fn config() -> VitConfig {
    let sizes = VitConfig { side: 16, patch: 8, dim: 12, depth: 2, ..VitConfig::clip_large14() };
    VitConfig { n_heads: 2, d_mlp: 20, projection: Some(6), ..sizes }
}

fn golden() -> Fixture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fare.safetensors");
    Fixture::load(path)
}

/// The tower in the golden file whose names begin with `prefix`.
fn tower(golden: &Fixture, prefix: &str) -> Vit {
    let mut file = Fixture::default();
    for name in golden.names() {
        if let Some(key) = name.strip_prefix(prefix) {
            file.insert(key, golden.get(name).expect("it is listed").clone());
        }
    }
    let bytes = file.to_safetensors();
    let source = Source::Bytes { name: "visual", bytes: &bytes };
    config().load(source, &Device::flex()).expect("a tower alone, as RobustVLM saves it")
}

fn embed(tower: &Vit, images: Tensor<4>) -> Tensor<2> {
    tower.forward(images)
}

fn settings() -> FareConfig {
    FareConfig {
        learning_rate: 1e-2,
        weight_decay: 0.1,
        warmup_steps: 2,
        steps: 8,
        ..FareConfig::fare4()
    }
}

#[test]
fn a_step_is_that_of_pytorch() {
    let device = Device::flex();
    let golden = golden();
    let mut run = Fare::new(&tower(&golden, "before."), embed, settings());
    let theirs = golden.get("losses").expect("it is there").clone();
    let theirs = theirs.try_to_vec::<f32>().expect("floats");
    for (step, theirs) in theirs.into_iter().enumerate() {
        let tensor = |name: &str| golden.tensor::<4>(&format!("{name}.{step}"), &device);
        let loss = run.step_from(tensor("images"), tensor("start")) as f32;
        assert!(
            (loss - theirs).abs() <= 10.0 * LIMIT * theirs,
            "step {step}: {loss}, not {theirs}"
        );
        if step > 0 {
            continue;
        }
        assert!((loss - theirs).abs() <= LIMIT * theirs, "the first loss: {loss}, not {theirs}");
        let (before, after) = (tower(&golden, "before."), tower(&golden, "after."));
        let (ours, start, theirs) = (weights(run.model()), weights(&before), weights(&after));
        for ((name, ours), ((_, start), (_, theirs))) in ours.iter().zip(start.iter().zip(&theirs))
        {
            // The change, which is a small part of a weight.
            let [ours, theirs] = [ours, theirs].map(|x| x.clone() - start.clone());
            // A bias of keys adds the same to all scores of a query: its gradient is 0 but for rounding, of which
            // the optimizer makes a whole step.
            if !name.ends_with("qkv.bias") {
                assert_close(&ours, &theirs, 5e-3, &format!("change of {name}"));
            }
        }
    }
    assert_eq!(run.n_taken(), 3);
}

fn weights(tower: &Vit) -> Vec<(String, Tensor<1>)> {
    use cifake::weights::{Checkpoint, Mapping, Precision, to_bytes};
    let bytes = to_bytes(tower, &Mapping::PYTORCH, &[].into(), Precision::F32).expect("small");
    let checkpoint = Checkpoint::open(Source::Bytes { name: "tower", bytes: &bytes });
    let checkpoint = checkpoint.expect("it was just written");
    let values = |key: &str| {
        let data = checkpoint.tensor(key).expect("it is listed");
        let values = data.try_to_vec::<f32>().expect("floats");
        (key.to_owned(), Tensor::<1>::from_floats(values.as_slice(), &Device::flex()))
    };
    checkpoint.shapes().into_keys().map(values).collect()
}

#[test]
fn training_makes_an_encoder_robust_and_resumes_to_the_bit() {
    let device = Device::flex();
    let model = tower(&golden(), "before.");
    let settings = FareConfig {
        epsilon: Epsilon::from_255(8.0).expect("finite"),
        step_size: Epsilon::from_255(3.0).expect("finite"),
        attack_steps: 4,
        learning_rate: 2e-3,
        warmup_steps: 2,
        steps: 24,
        ..FareConfig::fare4()
    };
    let ramp = Tensor::<1, Int>::arange(0..8 * 3 * 16 * 16, &device).float();
    // From the picture itself the attack goes nowhere: there the distance of embeddings is least.
    let start = || (ramp.clone() * 1.7).sin().reshape([8, 3, 16, 16]) * (8.0 / 255.0);
    let images = (ramp.clone() * 0.37).sin().reshape([8, 3, 16, 16]) * 0.4 + 0.5;
    let mut run = Fare::new(&model, embed, settings);
    let [clean, before] = run.losses(images.clone(), start());
    assert_eq!(clean, 0.0, "it is its own target");
    for _ in 0..12 {
        run.step(images.clone());
    }
    let half = run.state();
    let mut resumed = Fare::new(&model, embed, settings).resumed(half).expect("the same encoder");
    for _ in 12..24 {
        let losses = [run.step(images.clone()), resumed.step(images.clone())];
        assert_eq!(losses[0], losses[1]);
    }
    assert_eq!(run.state(), resumed.state());
    let [_, after] = run.losses(images.clone(), start());
    assert!(after < 0.7 * before, "{after} of {before}");
    let other = Fare::new(&VitConfig { depth: 1, ..config() }.draw(1, &device), embed, settings);
    assert!(other.resumed(run.state()).is_none());
    assert_eq!(model.num_params(), run.state().weights.len());
}

#[test]
fn presets_are_the_published_settings() {
    let (two, four) = (FareConfig::fare2(), FareConfig::fare4());
    assert_eq!([two.epsilon, four.epsilon].map(|e| (e.value() * 255.0).round()), [2.0, 4.0]);
    assert_eq!(
        (two.attack_steps, two.warmup_steps, two.steps, two.batch_size),
        (10, 1400, 20_000, 128)
    );
    assert_eq!((two.learning_rate, two.weight_decay), (1e-5, 1e-4));
}
