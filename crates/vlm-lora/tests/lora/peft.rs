//! What PEFT wrote is read and computes the same; what is written has PEFT's names and form.
//! `../fixtures/lora.py` makes the golden files.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use serde_json::Value;
use testkit::{Fixture, assert_close};
use vlm_lora::lora::{
    Adapter, AdapterError, CONFIG_FILE, LayerWeights, LoraConfig, Reduced, WEIGHTS_FILE, adapters,
    disable, merge,
};

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
                // How the matrices were drawn once; the fixture's are random on purpose.
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
        let rank = |weights: &LayerWeights| match weights {
            LayerWeights::LowRank { a, .. } => a.shape().to_vec()[0],
            _ => 0,
        };
        let ours: BTreeMap<_, _> =
            drawn.layers().iter().map(|(path, weights)| (path.clone(), rank(weights))).collect();
        let ranks: BTreeMap<_, _> =
            theirs.iter().map(|(path, (rank, _))| (path.clone(), *rank)).collect();
        assert_eq!(ours, ranks, "{}", case["config"]);
    }
}

#[test]
fn an_adapter_of_another_model_leaves_the_model_as_it_was() {
    let mut model = load("lora_llama", &Device::flex());
    let qwen2 = fixture("lora_qwen2").join("adapter");
    let adapter = Adapter::open(&qwen2, &limits()).expect("PEFT wrote it");
    let mut other = super::model::random(vlm_lora::Storage::F32, &Device::flex());
    let refused = adapter.attach(&mut other, "other", &Device::flex(), &limits());
    assert!(matches!(refused, Err(AdapterError::Shape { .. })), "{refused:?}");
    assert!(adapters(&mut other).is_empty());
    adapter.attach(&mut model, "fits", &Device::flex(), &limits()).expect("the shapes are equal");
}

/// Leaves an adapter of ours and its logits in `target/tmp/lora_ours`, where
/// `../fixtures/lora.py --check` compares them with PEFT's.
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
    file.insert("tokens", burn::tensor::TensorData::new(tokens, [1, 12]));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("lora_ours");
    adapter.save(&folder).expect("the folder is writable");
    std::fs::write(folder.join("logits.safetensors"), file.to_safetensors()).expect("writable");
    assert_eq!(Adapter::open(&folder, &limits()).expect("it is whole"), adapter);
}
