//! Training: PyTorch's gradients and steps, and what a run must keep.

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use testkit::{Fixture, assert_close};
use vlm_lora::lora::{Adapter, LoraConfig, Modules, WEIGHTS_FILE, activate};
use vlm_lora::tune::{Encoded, Event, TRAINED, TrainingError, Tuner, TuningConfig};
use vlm_lora::{Decoder, DecoderNames, Error, Matrix, Random, WeightFormat, WeightSource};

use super::model::{all_linear, fixture, limits, load, logits, random, shape, weights};

/// Both sides round to f32 on the way to a gradient and back.
const LIMIT: f32 = 1e-4;

fn example(tokens: &[u32], answer: std::ops::Range<usize>) -> Encoded {
    let answer = (0..tokens.len()).map(|at| answer.contains(&at)).collect();
    Encoded { tokens: tokens.to_vec(), answer }
}

/// Six examples of four lengths.
fn examples() -> Vec<Encoded> {
    let example = |n: u32| {
        let len = 6 + n % 4;
        let tokens: Vec<u32> = (0..len).map(|at| (7 * n + 3 * at) % 40).collect();
        example(&tokens, 3..len as usize - 1)
    };
    (0..6).map(example).collect()
}

fn config() -> TuningConfig {
    let lora = all_linear(2).with_modules_to_save(&["lm_head"]);
    TuningConfig {
        epochs: 2,
        batch_size: 2,
        accumulation: 1,
        warmup: 0.2,
        weight_decay: 0.01,
        ..TuningConfig::new(lora, 1e-2)
    }
}

fn tune(
    model: &mut Decoder,
    config: &TuningConfig,
    folder: &Path,
    device: &Device,
    stop_after: Option<usize>,
) -> Vec<f64> {
    let sets = [examples(), examples()[..2].to_vec()];
    let mut tuner =
        Tuner::new(model, config.clone(), None, sets, folder, device).expect("it can run");
    let mut n_done = 0;
    let listener = &mut |event: Event| {
        n_done += usize::from(matches!(event, Event::Step { .. }));
        match stop_after == Some(n_done) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    tuner.run(listener).expect("the folder is writable");
    tuner.history().iter().map(|row| row.loss).collect()
}

fn run(config: &TuningConfig, device: &Device) -> (Fixture, Vec<f64>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let losses = tune(&mut random(WeightFormat::F32, device), config, folder.path(), device, None);
    (Fixture::load(folder.path().join("adapter").join(WEIGHTS_FILE)), losses)
}

fn assert_equal(ours: &Fixture, theirs: &Fixture, limit: f32, what: &str) {
    let device = Device::flex();
    assert_eq!(ours.names().collect::<Vec<_>>(), theirs.names().collect::<Vec<_>>());
    for name in ours.names() {
        let [ours, theirs] = [ours, theirs].map(|file| file.tensor::<2>(name, &device));
        assert_close(&ours, &theirs, limit, &format!("{what}: {name}"));
    }
}

fn assert_step_of_pytorch(device: &Device) {
    let golden = Fixture::load(fixture("lora_qwen2").join("expected.safetensors"));
    let tokens = golden.tensor::<2>("tokens", device).into_data();
    let tokens: Vec<u32> = tokens.iter::<f32>().map(|token| token as u32).collect();
    let answer = golden.tensor::<2>("answer", device).into_data();
    let answer: Vec<bool> = answer.iter::<f32>().map(|answer| answer == 1.0).collect();
    let sequence = |(tokens, answer): (&[u32], &[bool])| Encoded {
        tokens: tokens.to_vec(),
        answer: answer.to_vec(),
    };
    let examples: Vec<Encoded> = tokens.chunks(11).zip(answer.chunks(11)).map(sequence).collect();
    let start = Adapter::open(&fixture("lora_qwen2").join("adapter"), &limits());
    let start = start.expect("PEFT wrote it");
    let config = TuningConfig {
        epochs: 1,
        batch_size: 2,
        accumulation: 1,
        weight_decay: 0.1,
        clip_norm: 0.05,
        ..TuningConfig::new(start.config().clone(), 1e-2)
    };
    for gradient_checkpointing in [false, true] {
        let config = TuningConfig { gradient_checkpointing, ..config.clone() };
        let mut model = load("lora_qwen2", device);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sets = [examples.clone(), Vec::new()];
        let start = Some(start.clone());
        let tuner = Tuner::new(&mut model, config, start, sets, folder.path(), device);
        let mut tuner = tuner.expect("it can run");
        tuner.run(&mut |_| ControlFlow::Continue(())).expect("it is one step");
        let theirs = golden.get("loss").and_then(|loss| loss.iter::<f32>().next());
        let (ours, theirs) = (tuner.history()[0].loss, f64::from(theirs.expect("one number")));
        assert!((ours - theirs).abs() < 1e-5, "loss {ours}, not {theirs}");
        let ours = Fixture::load(folder.path().join("adapter").join(WEIGHTS_FILE));
        let mut squares = 0.0;
        for name in ours.names() {
            let theirs = golden.tensor::<2>(&format!("updated.{name}"), device);
            assert_close(&ours.tensor(name, device), &theirs, LIMIT, name);
            let gradient = golden.get(&format!("gradient.{name}")).expect("it has a gradient");
            squares += gradient.iter::<f32>().map(|g| f64::from(g) * f64::from(g)).sum::<f64>();
        }
        let norm = tuner.history()[0].gradient_norm;
        assert!((norm / squares.sqrt() - 1.0).abs() < 1e-4, "norm {norm}, not {}", squares.sqrt());
    }
}

#[test]
fn one_step_is_that_of_pytorch() {
    assert_step_of_pytorch(&Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn one_step_is_that_of_pytorch_on_ndarray() {
    assert_step_of_pytorch(&Device::ndarray());
}

/// One step of an adapter: on flex and ndarray in every test run, on wgpu or cuda with the feature of
/// that name.
#[cfg(feature = "ndarray")]
#[test]
fn same_numbers_on_every_device() {
    let config = TuningConfig { epochs: 1, batch_size: 6, warmup: 0.0, ..config() };
    let (flex, losses) = run(&config, &Device::flex());
    let others: Vec<_> =
        cifake::device::compiled().into_iter().filter(|&name| name != "flex").collect();
    assert!(others.contains(&"ndarray"), "tests are built with a second backend");
    for name in others {
        let device = cifake::device::parse(name).expect("it is compiled in");
        let (ours, found) = run(&config, &device);
        assert_equal(&ours, &flex, LIMIT, name);
        assert!((found[0] - losses[0]).abs() < 1e-5, "{name}: loss {found:?}, not {losses:?}");
    }
}

/// Random weights in a storage, unpacked again.
struct Unpacked(Random);

impl WeightSource for Unpacked {
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error> {
        Ok(Matrix::F32(self.0.matrix(name, shape)?.to_tensor()))
    }

    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<1>, Error> {
        self.0.values(name, shape)
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn device(&self) -> &Device {
        self.0.device()
    }
}

/// QLoRA: gradients through reduced weights are those through the numbers that they stand for.
#[test]
fn a_step_on_reduced_weights_is_a_step_on_their_numbers() {
    let device = Device::flex();
    // So large an epsilon makes AdamW's first step proportional to the gradient.
    let config = TuningConfig {
        lora: all_linear(2),
        epochs: 1,
        batch_size: 6,
        warmup: 0.0,
        weight_decay: 0.0,
        epsilon: 1.0,
        ..config()
    };
    let step = |model: &mut Decoder| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        tune(model, &config, folder.path(), &device, None);
        Fixture::load(folder.path().join("adapter").join(WEIGHTS_FILE))
    };
    for (storage, limit) in [
        (WeightFormat::F16, 2e-3),
        (WeightFormat::Bf16, 2e-2),
        (WeightFormat::Int8, 0.05),
        (WeightFormat::Int4, 0.05),
    ] {
        let mut unpacked = Unpacked(Random::new(5, storage, &device));
        let names = DecoderNames::default();
        let theirs = Decoder::new(&mut unpacked, &shape(), &names).expect("it has every weight");
        let (ours, theirs) = (step(&mut random(storage, &device)), step(&mut theirs.clone()));
        // The kernels of reduced weights round their input.
        assert_equal(&ours, &theirs, limit, &format!("{storage:?}"));
    }
}

#[test]
fn accumulated_batches_are_one_large_batch() {
    let device = Device::flex();
    let large = TuningConfig { batch_size: 6, accumulation: 1, ..config() };
    let small = TuningConfig { batch_size: 1, accumulation: 6, ..config() };
    let uneven = TuningConfig { batch_size: 4, accumulation: 2, ..config() };
    let (theirs, losses) = run(&large, &device);
    for config in [small, uneven] {
        let (ours, accumulated) = run(&config, &device);
        assert_equal(&ours, &theirs, 1e-5, "accumulated");
        for (ours, theirs) in accumulated.iter().zip(&losses) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
        }
    }
}

#[test]
fn batches_side_by_side_give_the_same_bytes() {
    let device = Device::flex();
    for gradient_checkpointing in [false, true] {
        let mut config = TuningConfig { batch_size: 1, accumulation: 4, ..config() };
        config.gradient_checkpointing = gradient_checkpointing;
        config.lora.lora_dropout = 0.3;
        let bytes = |n_workers| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (mut model, sets) = (random(WeightFormat::F32, &device), [examples(), Vec::new()]);
            let tuner = Tuner::new(&mut model, config.clone(), None, sets, folder.path(), &device);
            let mut tuner = tuner.expect("it can run").with_workers(n_workers);
            tuner.run(&mut |_| ControlFlow::Continue(())).expect("the folder is writable");
            std::fs::read(folder.path().join("adapter").join(WEIGHTS_FILE)).expect("it was written")
        };
        let one = bytes(1);
        for n_workers in [2, 3, 9] {
            assert!(bytes(n_workers) == one, "{n_workers} {gradient_checkpointing}");
        }
    }
}

#[test]
fn layers_computed_twice_give_the_same_steps() {
    let device = Device::flex();
    let lora = all_linear(2).with_dropout(0.3);
    let once = TuningConfig { lora, ..config() };
    let twice = TuningConfig { gradient_checkpointing: true, ..once.clone() };
    assert_equal(&run(&twice, &device).0, &run(&once, &device).0, 1e-5, "computed twice");
}

#[test]
fn prompt_and_padding_carry_no_loss() {
    let device = Device::flex();
    let examples = [example(&[1, 2, 3, 4, 5], 3..5), example(&[9, 8, 7], 1..2)];
    let config = TuningConfig { batch_size: 2, epochs: 1, ..config() };
    let mut model = random(WeightFormat::F32, &device);
    let log_probability = |tokens: &[u32], at: usize| {
        let scores = burn::tensor::activation::log_softmax(logits(&model, &[tokens]), 2);
        let scores: Vec<f32> = scores.into_data().iter().collect();
        f64::from(scores[at * 40 + tokens[at + 1] as usize])
    };
    let terms = [
        log_probability(&[1, 2, 3, 4, 5], 2),
        log_probability(&[1, 2, 3, 4, 5], 3),
        log_probability(&[9, 8, 7], 0),
    ];
    let exact = -terms.iter().sum::<f64>() / 3.0;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sets = [examples.to_vec(), Vec::new()];
    let mut tuner =
        Tuner::new(&mut model, config, None, sets, folder.path(), &device).expect("it can run");
    tuner.run(&mut |_| ControlFlow::Continue(())).expect("it is one step");
    let row = &tuner.history()[0];
    assert_eq!(row.n_targets, 3);
    assert!((row.loss - exact).abs() < 1e-5, "{} {exact}", row.loss);
}

#[test]
fn only_adapters_move_and_the_loss_falls() {
    let device = Device::flex();
    let mut model = random(WeightFormat::F32, &device);
    let own = weights(&mut model);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = TuningConfig { epochs: 12, ..config() };
    let losses = tune(&mut model, &config, folder.path(), &device, None);
    assert_eq!(weights(&mut model), own);
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..3]), mean(&losses[losses.len() - 3..]));
    assert!(last < 0.5 * first, "{first} {last}");
    let trained = logits(&model, &[&[1, 2, 3]]);
    activate(&mut model, &[]).expect("none is unknown");
    assert_ne!(logits(&model, &[&[1, 2, 3]]).to_data(), trained.to_data());
    activate(&mut model, &[TRAINED]).expect("it stays attached");
    assert_eq!(logits(&model, &[&[1, 2, 3]]).to_data(), trained.to_data());
}

#[test]
fn a_run_that_is_broken_off_ends_with_the_same_bytes() {
    let device = Device::flex();
    let lora = all_linear(2).with_dropout(0.2);
    let config = TuningConfig { lora, checkpoint_steps: 2, ..config() };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [whole, broken] = ["whole", "broken"].map(|name| folder.path().join(name));
    tune(&mut random(WeightFormat::F32, &device), &config, &whole, &device, None);
    for _ in 0..6 {
        tune(&mut random(WeightFormat::F32, &device), &config, &broken, &device, Some(1));
    }
    for file in [
        "adapter/adapter_model.safetensors",
        "best/adapter_model.safetensors",
        "metrics.jsonl",
        "checkpoint.safetensors",
    ] {
        let [ours, theirs] = [&broken, &whole].map(|run| std::fs::read(run.join(file)));
        assert_eq!(ours.expect("it was written"), theirs.expect("it was written"), "{file}");
    }
    let other = TuningConfig { seed: 1, ..config.clone() };
    let sets = [examples(), examples()[..2].to_vec()];
    let mut model = random(WeightFormat::F32, &device);
    let refused = Tuner::new(&mut model, other, None, sets, &broken, &device).err();
    assert!(matches!(refused, Some(Error::Training(TrainingError::OtherRun { .. }))));
    let mut model = random(WeightFormat::F32, &device);
    std::fs::write(broken.join("checkpoint.safetensors"), b"nonsense").expect("it is writable");
    let sets = [examples(), examples()[..2].to_vec()];
    let refused = Tuner::new(&mut model, config, None, sets, &broken, &device).err();
    assert!(matches!(refused, Some(Error::Training(TrainingError::Checkpoint { .. }))));
}

/// An example that was learned must not be one of those that tell how well others are answered.
#[test]
fn a_run_goes_on_with_the_same_examples_held_out_alone() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let begun = |n_train: usize| {
        let mut train = examples();
        let held_out = train.split_off(n_train);
        let mut model = random(WeightFormat::F32, &device);
        let sets = [train, held_out];
        let tuner = Tuner::new(&mut model, config(), None, sets, folder.path(), &device);
        tuner.and_then(|mut tuner| tuner.run(&mut |_| ControlFlow::Break(())))
    };
    begun(5).expect("it begins");
    begun(5).expect("it goes on");
    let refused = begun(4);
    assert!(matches!(refused, Err(Error::Training(TrainingError::OtherRun { .. }))), "{refused:?}");
}

/// Gradients so large that their squares, which the optimizer keeps, are no numbers.
#[test]
fn a_step_that_breaks_the_state_is_not_saved() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = TuningConfig { clip_norm: 0.0, checkpoint_steps: 1, ..config() };
    let mut model = random(WeightFormat::F32, &device);
    let drawn = Adapter::draw(all_linear(2), &mut model, 1, &limits()).expect("it has layers");
    drawn.save(folder.path()).expect("the folder is writable");
    let mut weights = Fixture::load(folder.path().join(WEIGHTS_FILE));
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    for name in names.iter().filter(|name| name.contains("lora_A")) {
        let data = weights.get(name).expect("it was named");
        let values: Vec<f32> = data.iter::<f32>().map(|value| value * 1e25).collect();
        weights.insert(name, TensorData::new(values, data.shape().to_vec()));
    }
    let json = drawn.config().to_json();
    let start = Adapter::from_bytes(json.as_bytes(), &weights.to_safetensors(), &limits());
    let config = TuningConfig { lora: drawn.config().clone(), ..config };
    let (out, sets) = (folder.path().join("run"), [examples(), Vec::new()]);
    let start = Some(start.expect("it is whole"));
    let mut tuner = Tuner::new(&mut model, config, start, sets, &out, &device).expect("it can run");
    let broken = tuner.run(&mut |_| ControlFlow::Continue(()));
    assert!(matches!(broken, Err(Error::Training(TrainingError::Diverged { .. }))), "{broken:?}");
    assert!(!out.join("checkpoint.safetensors").exists());
}

#[test]
fn parts_have_rates_of_their_own() {
    let device = Device::flex();
    let lora = LoraConfig::new(2, 2.0, Modules::list(&["q_proj", "v_proj"]));
    let frozen =
        vlm_lora::tune::PartRate { modules: Modules::list(&["q_proj"]), learning_rate: 0.0 };
    let config = TuningConfig { lora: lora.clone(), rates: vec![frozen], ..config() };
    let mut model = random(WeightFormat::F32, &device);
    let drawn = Adapter::draw(lora, &mut model, config.seed, &limits()).expect("it has layers");
    let folder = tempfile::tempdir().expect("a temporary folder");
    tune(&mut model, &config, folder.path(), &device, None);
    let trained = Adapter::of(&mut model, TRAINED).expect("it stays attached");
    for (path, weights) in trained.layers() {
        assert_eq!(*weights == drawn.layers()[path], path.ends_with("q_proj"), "{path}");
    }
}
