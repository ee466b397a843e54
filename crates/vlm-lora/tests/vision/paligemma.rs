//! PaliGemma 1 and 2: pixels, the tower, projected features, every layer, logits, answers, an adapter.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use testkit::{Fixture, assert_close, relative_difference};
use vlm_lora::image::{Enlargement, PreprocessorConfig, SquareProcessor};
use vlm_lora::lora::{Adapter, AdapterLimits, WEIGHTS_FILE};
use vlm_lora::models::{LanguageModel, PaliGemma};
use vlm_lora::tune::{Encoded, Image, TrainableVlm, Tuner, TuningConfig, VisionExample};
use vlm_lora::{Error, WeightFormat};

use crate::fixture::{LIMIT, assert_layers, case, golden, greedy, numbers, path, picture};

const NAMES: [&str; 4] = ["paligemma_a", "paligemma_b", "paligemma2_a", "paligemma2_b"];
/// Both sides round to f32 on the way to a gradient and back.
const STEP_LIMIT: f32 = 1e-4;

fn load(name: &str, device: &Device) -> PaliGemma {
    PaliGemma::load(&path(name), WeightFormat::F32, device)
        .expect("the model uses every weight it may")
}

/// The pictures of `case` as the tower of `model` reads them.
fn images(model: &PaliGemma, case: &Value) -> Tensor<4> {
    let side = model.config().vision.image_size;
    let processor = SquareProcessor::siglip(side as u32);
    let sizes = numbers(&case["sizes"]);
    let values = sizes.chunks(2).flat_map(|size| {
        let picture = picture(size[0], size[1]);
        processor.process(&picture, Enlargement::Off).expect("no strip")
    });
    let data = TensorData::new(values.collect::<Vec<f32>>(), [sizes.len() / 2, 3, side, side]);
    Tensor::from_data(data, model.decoder().device())
}

fn assert_stages(device: &Device) {
    for name in NAMES {
        let (model, case, golden) = (load(name, device), case(name), golden(name));
        let images = images(&model, &case);
        let theirs = golden.get("pixels").expect("it is there").try_to_vec::<f32>();
        let ours = images.to_data().try_to_vec::<f32>().expect("f32");
        assert_eq!(ours, theirs.expect("f32"), "{name} pixels");
        let mut seen = 0;
        let features = model.tower().forward_each(images.clone(), &mut |stage, ours| {
            assert_close(ours, &golden.tensor(stage, device), LIMIT, &format!("{name} {stage}"));
            seen += 1;
        });
        assert_eq!(seen, model.config().vision.num_hidden_layers + 2);
        let theirs = golden.tensor("projected", device);
        assert_close(&model.project(features), &theirs, LIMIT, &format!("{name} projected"));
        let prompt = model.prompt_of(&numbers(&case["prompt"]), Some(images)).expect("places");
        assert_eq!(prompt.tokens(), numbers(&case["tokens"]), "{name}");
        assert_eq!(prompt.prefix(), prompt.len(), "{name}");
        assert_layers(model.decoder(), &prompt, &golden, name);
    }
}

#[test]
fn every_stage_gives_transformers_numbers() {
    assert_stages(&Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn every_stage_gives_transformers_numbers_on_ndarray() {
    assert_stages(&Device::ndarray());
}

fn assert_greedy(device: &Device) {
    for name in NAMES {
        let (model, case) = (load(name, device), case(name));
        let images = images(&model, &case);
        let prompt = model.prompt_of(&numbers(&case["prompt"]), Some(images)).expect("places");
        let theirs = numbers(&case["greedy"]);
        let ours = greedy(model.decoder(), &prompt, theirs.len());
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn greedy_answers_are_transformers() {
    assert_greedy(&Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn greedy_answers_are_transformers_on_ndarray() {
    assert_greedy(&Device::ndarray());
}

#[test]
fn narrow_storage_stays_near_single_precision() {
    let device = Device::flex();
    for name in ["paligemma_a", "paligemma2_a"] {
        let case = case(name);
        let logits = |storage| {
            let model = PaliGemma::load(&path(name), storage, &device).expect("it fits");
            let images = images(&model, &case);
            let prompt = model.prompt_of(&numbers(&case["prompt"]), Some(images)).expect("places");
            model.logits(&prompt)
        };
        let exact = logits(WeightFormat::F32);
        for (storage, limit) in [(WeightFormat::F16, 0.02), (WeightFormat::Int8, 0.3)] {
            let difference = relative_difference(&logits(storage), &exact);
            assert!(difference < limit, "{name} {storage:?}: {difference}");
        }
    }
}

#[test]
fn counts_and_sizes_that_do_not_fit_are_refused() {
    let model = load("paligemma_a", &Device::flex());
    let image = model.config().image_token;
    let two = model.prompt(&[image, image, 2, 7], &[picture(32, 32)]);
    assert!(matches!(two, Err(Error::PicturePlaces { places: 2, found: 1, .. })), "{two:?}");
    let none = model.prompt(&[2, 7], &[picture(32, 32)]);
    assert!(matches!(none, Err(Error::PicturePlaces { places: 0, found: 1, .. })), "{none:?}");
    let strip = model.prompt(&[image, 2], &[picture(1, 20_000)]);
    assert!(matches!(strip, Err(Error::AspectRatio { .. })), "{strip:?}");
    let settings = PreprocessorConfig::from_bytes(br#"{"size": {"height": 28, "width": 28}}"#);
    let processor = SquareProcessor::from_config(&settings.expect("JSON")).expect("in bounds");
    let other = model.with_processor(processor).prompt(&[image, 2], &[picture(32, 32)]);
    assert!(
        matches!(other, Err(Error::PictureFormat { found: 28, expected: 42, .. })),
        "{other:?}"
    );
}

/// The file says which Gemma it is; with the other one, weights are left over or absent.
#[test]
fn weights_of_one_version_in_the_other_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (config, weights) = ("config.json", "model.safetensors");
    let text = std::fs::read_to_string(path("paligemma2_a").join(config)).expect("committed");
    let from = path("paligemma2_a").join(weights);
    std::fs::copy(from, folder.path().join(weights)).expect("a copy");
    let load = |text: &str| {
        std::fs::write(folder.path().join(config), text).expect("the folder is writable");
        PaliGemma::load(folder.path(), WeightFormat::F32, &Device::flex())
    };
    load(&text).expect("it is whole");
    // Gemma 1 knows no window, so one shorter than a prompt is refused before the weights are.
    let long = text.replace("\"sliding_window\": 5", "\"sliding_window\": 4096");
    let old = load(&long.replace("\"gemma2\"", "\"gemma\"")).err();
    assert!(
        matches!(&old, Some(Error::UnusedWeights { names, .. })
            if names[0].ends_with("post_feedforward_layernorm.weight")),
        "{old:?}"
    );
    let other = load(&text.replace("\"gemma2\"", "\"gemma3_text\"")).err();
    assert!(
        matches!(&other, Some(Error::Config { field, .. }) if field == "text_config.model_type"),
        "{other:?}"
    );
}

/// The tokens of the adapter's fixture: a picture's place, a question and its answer.
fn example(case: &Value) -> VisionExample {
    let mut encoded = Encoded::default();
    encoded.extend(&numbers(&case["prompt"]), false);
    encoded.extend(&[20, 31, 20, 1], true);
    let sizes = numbers(&case["sizes"]);
    VisionExample { encoded, images: vec![Image::Pixels(Arc::new(picture(sizes[0], sizes[1])))] }
}

#[test]
fn an_adapter_of_peft_gives_its_logits_and_its_step() {
    let (device, limits) = (Device::flex(), AdapterLimits::default());
    let (name, folder) = ("paligemma_a", path("paligemma_a"));
    let case = case(name);
    let golden = Fixture::load(folder.join("step.safetensors"));
    let adapter = Adapter::open(&folder.join("adapter"), &limits).expect("PEFT wrote it");
    let mut model = load(name, &device);
    let drawn = Adapter::draw(adapter.config().clone(), &mut model, 0, &limits);
    assert!(drawn.expect("PEFT did as well").layers().keys().eq(adapter.layers().keys()));
    adapter.attach(&mut model, "peft", &device, &limits).expect("it is this model's");
    let images = images(&model, &case);
    let prompt = model.prompt_of(&numbers(&case["prompt"]), Some(images)).expect("a place");
    let adapted = golden.tensor::<3>("logits.adapted", &device);
    assert_close(&model.logits(&prompt).unsqueeze(), &adapted, LIMIT, "attached");

    for gradient_checkpointing in [false, true] {
        let config = TuningConfig {
            epochs: 1,
            batch_size: 1,
            accumulation: 1,
            weight_decay: 0.1,
            clip_norm: 0.05,
            gradient_checkpointing,
            ..TuningConfig::new(adapter.config().clone(), 1e-2)
        };
        let mut model = TrainableVlm::new(Box::new(load(name, &device)));
        let (out, start) = (tempfile::tempdir().expect("a temporary folder"), adapter.clone());
        let sets = [vec![example(&case)], Vec::new()];
        let tuner = Tuner::new(&mut model, config, Some(start), sets, out.path(), &device);
        let mut tuner = tuner.expect("it can run");
        tuner.run(&mut |_| ControlFlow::Continue(())).expect("it is one step");
        let theirs = golden.get("loss").and_then(|loss| loss.iter::<f32>().next());
        let (ours, theirs) = (tuner.history()[0].loss, f64::from(theirs.expect("one number")));
        assert!((ours - theirs).abs() < 1e-5, "loss {ours}, not {theirs}");
        let ours = Fixture::load(out.path().join("adapter").join(WEIGHTS_FILE));
        assert!(ours.names().count() > 40);
        for name in ours.names() {
            let theirs = golden.tensor::<2>(&format!("updated.{name}"), &device);
            assert_close(&ours.tensor(name, &device), &theirs, STEP_LIMIT, name);
        }
    }
}
