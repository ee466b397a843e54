//! Every layer and the logits of Llama, Mistral, Qwen2, Qwen2-VL's text part, Phi and Gemma, and greedy
//! generation.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use serde_json::Value;
use testkit::{Fixture, assert_close};
use vlm_lora::{Decoder, DecoderNames, Folder, Positions, TextConfig, WeightFormat};

/// Both sides round to f32 after sums of up to 64 products; a wrong formula leaves 1e-2 and more.
const LIMIT: f32 = 1e-5;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/text")
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the fixture is committed");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

fn numbers(value: &Value) -> Vec<u32> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_u64().expect("a number") as u32],
    }
}

fn load(name: &str, device: &Device) -> Decoder {
    let folder = fixtures().join(name);
    let config = TextConfig::from_hugging_face(&json(&folder.join("config.json")));
    let config = config.expect("the configuration is read");
    let mut weights =
        Folder::open(&folder, WeightFormat::F32, device).expect("the weights are there");
    let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default());
    weights.finish().expect("the model uses every weight");
    decoder.expect("the weights fit")
}

fn positions(value: &Value) -> Positions {
    let n_axes = value.as_array().expect("a list").len();
    let numbers = numbers(value);
    let n_tokens = numbers.len() / n_axes / 2;
    Positions::new(numbers, [n_axes, 2, n_tokens])
}

fn embed(decoder: &Decoder, tokens: &Value) -> Tensor<3> {
    let tokens = numbers(tokens);
    let embeddings = decoder.embed(&tokens);
    let d_model = embeddings.dims()[1];
    embeddings.reshape([2, tokens.len() / 2, d_model])
}

/// Name and content of every case.
fn cases() -> Vec<(String, Value)> {
    let Value::Object(cases) = json(&fixtures().join("cases.json")) else { panic!("an object") };
    assert_eq!(cases.len(), 21);
    cases.into_iter().collect()
}

fn assert_stages(device: &Device) {
    for (name, case) in cases() {
        let decoder = load(&name, device);
        let golden = Fixture::load(fixtures().join(format!("{name}.safetensors")));
        let mut x = embed(&decoder, &case["tokens"]);
        let positions = positions(&case["positions"]);
        let window = decoder.window(&x, &positions, None);
        for (i, layer) in decoder.layers().iter().enumerate() {
            x = layer.forward(x, &window);
            let stage = format!("layers.{i}");
            assert_close(&x, &golden.tensor(&stage, device), LIMIT, &format!("{name} {stage}"));
        }
        let logits = decoder.logits(decoder.normalize(x));
        assert_close(&logits, &golden.tensor("logits", device), LIMIT, &format!("{name} logits"));
    }
}

#[test]
fn every_layer_gives_transformers_numbers() {
    assert_stages(&Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn every_layer_gives_transformers_numbers_on_ndarray() {
    assert_stages(&Device::ndarray());
}

#[test]
fn a_cache_filled_in_parts_gives_the_logits_of_the_whole() {
    let device = Device::flex();
    for (name, case) in cases() {
        let decoder = load(&name, &device);
        let golden = Fixture::load(fixtures().join(format!("{name}.safetensors")));
        let golden = golden.tensor::<3>("logits", &device);
        let all = positions(&case["positions"]);
        let embeddings = embed(&decoder, &case["tokens"]);
        let [n_axes, batch, n_tokens] = all.shape();
        let mut cache = decoder.cache(vec![0; batch], n_tokens);
        for (from, to) in [(0, 4), (4, 5), (5, n_tokens)] {
            let mut part = Vec::new();
            for axis in 0..n_axes {
                for sequence in 0..batch {
                    part.extend((from..to).map(|token| all.get(axis, sequence, token)));
                }
            }
            let part = Positions::new(part, [n_axes, batch, to - from]);
            let x = embeddings.clone().narrow(1, from, to - from);
            let logits = decoder.logits(decoder.forward(x, &part, Some(&mut cache)));
            let golden = golden.clone().narrow(1, from, to - from);
            assert_close(&logits, &golden, LIMIT, &format!("{name} {from}..{to}"));
        }
        assert_eq!(cache.len(), n_tokens);
    }
}
