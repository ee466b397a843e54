//! PEFT's files are read and compute the same; our files have PEFT's names and form. `../fixtures/lora.py` makes the
//! golden files.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use testkit::{Fixture, assert_close};
use vlm_lora::WeightFormat;
use vlm_lora::image::{Grid, Patches, Qwen2VlProcessor};
use vlm_lora::lora::{
    Adapter, AdapterError, CONFIG_FILE, LayerWeights, LoraConfig, Reduced, WEIGHTS_FILE, adapters,
    disable, merge,
};
use vlm_lora::models::Qwen2Vl;
use vlm_lora::tune::TuningConfig;

use super::model::{fixture, limits, load, logits};

/// Both sides round to f32; a wrong scale or a transposed matrix leaves 1e-1 and more.
const LIMIT: f32 = 1e-4;

fn tokens(golden: &Fixture, device: &Device) -> Vec<Vec<u32>> {
    let tokens = golden.tensor::<2>("tokens", device);
    let [_, n_tokens] = tokens.dims();
    let all: Vec<u32> = tokens.into_data().iter::<f32>().map(|token| token as u32).collect();
    all.chunks(n_tokens).map(<[u32]>::to_vec).collect()
}

fn assert_logits(name: &str, device: &Device) {
    let golden = Fixture::load(fixture(name).join("expected.safetensors"));
    let tokens = tokens(&golden, device);
    let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
    let mut model = load(name, device);
    let base = golden.tensor::<3>("logits.base", device);
    assert_close(&logits(&model, &tokens), &base, LIMIT, &format!("{name}, without"));
    let adapter = Adapter::open(&fixture(name).join("adapter"), &limits()).expect("PEFT wrote it");
    adapter.attach(&mut model, "peft", device, &limits()).expect("it is this model's");
    let adapted: Tensor<3> = golden.tensor("logits.adapted", device);
    assert_close(&logits(&model, &tokens), &adapted, LIMIT, &format!("{name}, attached"));
    merge(&mut model, Reduced::Refuse).expect("it is f32");
    assert_close(&logits(&model, &tokens), &adapted, LIMIT, &format!("{name}, merged"));
    disable(&mut model);
    assert_close(&logits(&model, &tokens), &base, LIMIT, &format!("{name}, disabled"));
}

#[test]
fn adapters_of_peft_give_its_logits() {
    for name in ["lora_llama", "lora_qwen2"] {
        assert_logits(name, &Device::flex());
    }
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn adapters_of_peft_give_its_logits_on_ndarray() {
    for name in ["lora_llama", "lora_qwen2"] {
        assert_logits(name, &Device::ndarray());
    }
}

#[test]
fn what_is_written_is_what_peft_wrote() {
    for name in ["lora_llama", "lora_qwen2"] {
        let theirs = fixture(name).join("adapter");
        let adapter = Adapter::open(&theirs, &limits()).expect("PEFT wrote it");
        let folder = tempfile::tempdir().expect("a temporary folder");
        adapter.save(folder.path()).expect("the folder is writable");
        let json = |folder: &std::path::Path| -> BTreeMap<String, Value> {
            let bytes = std::fs::read(folder.join(CONFIG_FILE)).expect("it was written");
            serde_json::from_slice(&bytes).expect("it is JSON")
        };
        let theirs_json = json(&theirs);
        for (field, ours) in json(folder.path()) {
            if field == "init_lora_weights" {
                // The initialization of the matrices; the fixture's are random on purpose.
                continue;
            }
            let theirs = &theirs_json[&field];
            let equal = match (ours.as_f64(), theirs.as_f64()) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => ours == *theirs,
            };
            assert!(equal, "{name}: {field} is {ours}, not {theirs}");
        }
        let [ours, theirs] = [folder.path(), &theirs].map(|f| Fixture::load(f.join(WEIGHTS_FILE)));
        assert_eq!(ours.names().collect::<Vec<_>>(), theirs.names().collect::<Vec<_>>());
        assert!(ours.names().all(|key| ours.get(key) == theirs.get(key)), "{name}");
    }
}

#[test]
fn the_same_layers_are_chosen_as_by_peft() {
    let json = std::fs::read(fixture("lora_targets.json")).expect("it is committed");
    let cases: Vec<Value> = serde_json::from_slice(&json).expect("it is JSON");
    assert!(cases.len() > 10);
    let mut model = load("lora_llama", &Device::flex());
    for case in cases {
        let config: LoraConfig =
            serde_json::from_value(case["config"].clone()).expect("it is a configuration");
        let theirs: BTreeMap<String, (usize, f64)> =
            serde_json::from_value(case["layers"].clone()).expect("rank and scale a layer");
        let drawn = Adapter::draw(config, &mut model, 0, &limits()).expect("PEFT did as well");
        let layer = |(path, weights): (&String, &LayerWeights)| {
            let LayerWeights::LowRank { a, .. } = weights else { panic!("{path} is whole") };
            let scale = drawn.scale(path).expect("the patterns are regular").expect("it has one");
            (path.clone(), (a.shape().to_vec()[0], scale))
        };
        let ours: BTreeMap<_, _> = drawn.layers().iter().map(layer).collect();
        assert_eq!(ours, theirs, "{}", case["config"]);
    }
}

#[test]
fn an_adapter_of_another_model_leaves_the_model_as_it_was() {
    let mut model = load("lora_llama", &Device::flex());
    let qwen2 = fixture("lora_qwen2").join("adapter");
    let adapter = Adapter::open(&qwen2, &limits()).expect("PEFT wrote it");
    let mut other = super::model::random(vlm_lora::WeightFormat::F32, &Device::flex());
    let refused = adapter.attach(&mut other, "other", &Device::flex(), &limits());
    assert!(matches!(refused, Err(AdapterError::Shape { .. })), "{refused:?}");
    assert!(adapters(&mut other).is_empty());
    adapter.attach(&mut model, "fits", &Device::flex(), &limits()).expect("the shapes are equal");
}

/// The small Qwen2-VL, and its scores for the picture of its fixture.
fn seeing(device: &Device) -> (Qwen2Vl, Patches) {
    let model = Qwen2Vl::load(&fixture("vision/qwen2_vl_a"), WeightFormat::F32, device);
    let golden = Fixture::load(fixture("vision/qwen2_vl_a.safetensors"));
    let values = golden.get("patches").expect("it is there").iter::<f32>().collect();
    let grids = vec![Grid { time: 1, height: 4, width: 4 }];
    (
        model.expect("it is committed"),
        Patches { values, form: Qwen2VlProcessor::default().form(), grids },
    )
}

/// `[1, tokens, vocab]`, of a prompt with one picture.
fn shown(model: &Qwen2Vl, patches: &Patches) -> Tensor<3> {
    let prompt = model.prompt_of(&[1, 2, 55, 57, 56, 7, 8, 9], patches).expect("one place");
    model.logits(&prompt).unsqueeze()
}

#[test]
fn an_adapter_of_peft_for_tower_and_decoder_gives_its_logits() {
    let device = Device::flex();
    let golden = Fixture::load(fixture("lora_qwen2_vl").join("expected.safetensors"));
    let (mut model, patches) = seeing(&device);
    let base = golden.tensor::<3>("logits.base", &device);
    assert_close(&shown(&model, &patches), &base, LIMIT, "without");
    let adapter = Adapter::open(&fixture("lora_qwen2_vl").join("adapter"), &limits());
    let adapter = adapter.expect("PEFT wrote it");
    adapter.attach(&mut model, "peft", &device, &limits()).expect("it is this model's");
    let adapted = golden.tensor::<3>("logits.adapted", &device);
    assert_close(&shown(&model, &patches), &adapted, LIMIT, "attached");
    // A new adapter has the keys that PEFT gave this one.
    let drawn = Adapter::draw(adapter.config().clone(), &mut model, 0, &limits());
    let drawn = drawn.expect("PEFT did as well");
    assert!(drawn.layers().keys().eq(adapter.layers().keys()));
}

/// Leaves adapters of ours and their logits in `target/tmp/lora_ours` and `lora_ours_qwen2_vl`, where
/// `../fixtures/lora.py --check` compares them with PEFT's: of `qwen2_vl` the tower, too, as its preset
/// trains it.
#[test]
fn an_adapter_of_ours_for_tower_and_decoder_is_left_for_peft() {
    let device = Device::flex();
    let (mut model, patches) = seeing(&device);
    let config = TuningConfig::qwen2_vl_finetune().lora;
    let adapter = super::model::trained(LoraConfig { r: 2, ..config }, &mut model, 1);
    adapter.attach(&mut model, "ours", &device, &limits()).expect("it was drawn for the model");
    let mut file = Fixture::default();
    file.insert("logits", shown(&model, &patches).into_data());
    file.insert("patches", TensorData::new(patches.values, [16, 1176]));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("lora_ours_qwen2_vl");
    adapter.save(&folder).expect("the folder is writable");
    std::fs::write(folder.join("logits.safetensors"), file.to_safetensors()).expect("writable");
    assert_eq!(Adapter::open(&folder, &limits()).expect("it is whole"), adapter);
}

#[test]
fn an_adapter_of_ours_is_left_for_peft() {
    let device = Device::flex();
    let mut model = load("lora_llama", &device);
    let mut config = super::model::all_linear(3)
        .with_rank_stabilized()
        .without(vlm_lora::lora::Modules::list(&["k_proj"]))
        .with_modules_to_save(&["lm_head"]);
    config.rank_pattern.insert("o_proj".to_owned(), 5);
    config.alpha_pattern.insert(r"layers\.1\..*".to_owned(), 2.5);
    let adapter = super::model::trained(config, &mut model, 1);
    adapter.attach(&mut model, "ours", &device, &limits()).expect("it was drawn for the model");
    let tokens: Vec<u32> = (0..12).map(|i| (7 * i + 3) % 64).collect();
    let mut file = Fixture::default();
    file.insert("logits", logits(&model, &[&tokens]).into_data());
    let tokens: Vec<f32> = tokens.iter().map(|&token| token as f32).collect();
    file.insert("tokens", TensorData::new(tokens, [1, 12]));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("lora_ours");
    adapter.save(&folder).expect("the folder is writable");
    std::fs::write(folder.join("logits.safetensors"), file.to_safetensors()).expect("writable");
    assert_eq!(Adapter::open(&folder, &limits()).expect("it is whole"), adapter);
}
