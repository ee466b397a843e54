//! Greedy generation gives transformers' tokens, alone and in a batch, from folders and llama.cpp files.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::Value;
use testkit::{Fixture, assert_close};
use vlm_lora::generate::{Finish, Generated, Generation, Prompt, Sampling};
use vlm_lora::{Decoder, DecoderNames, Folder, Gguf, Positions, TextConfig, WeightFormat};

const N_GREEDY: usize = 8;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/text")
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the fixture is committed");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

fn load(name: &str, device: &Device) -> Decoder {
    let folder = fixtures().join(name);
    let config = TextConfig::from_hugging_face(&json(&folder.join("config.json")));
    let mut weights =
        Folder::open(&folder, WeightFormat::F32, device).expect("the weights are there");
    let config = config.expect("the configuration is read");
    Decoder::new(&mut weights, &config, &DecoderNames::default()).expect("the weights fit")
}

fn rows(value: &Value) -> Vec<Vec<u32>> {
    let row = |row: &Value| {
        let numbers = row.as_array().expect("a row").iter();
        numbers.map(|n| n.as_u64().expect("a number") as u32).collect()
    };
    value.as_array().expect("rows").iter().map(row).collect()
}

/// The prompt of sequence `i` of a case.
fn prompt(decoder: &Decoder, case: &Value, i: usize) -> Prompt {
    let tokens = rows(&case["tokens"])[i].clone();
    let axes = case["positions"].as_array().expect("axes");
    let places: Vec<u32> = axes.iter().flat_map(|axis| rows(axis)[i].clone()).collect();
    let positions = Positions::new(places, [axes.len(), 1, tokens.len()]);
    Prompt::new(decoder.embed(&tokens), positions, tokens)
}

fn greedy(decoder: &Decoder, prompts: &[Prompt], n: usize) -> Vec<Generated> {
    let mut on_token = |_: usize, _: u32| ControlFlow::Continue(());
    let answers = Generation::greedy(n, Vec::new()).run(decoder, prompts, None, &mut on_token);
    answers.expect("the settings are fine")
}

fn assert_greedy(device: &Device) {
    let Value::Object(cases) = json(&fixtures().join("cases.json")) else { panic!("an object") };
    for (name, case) in cases {
        let decoder = load(&name, device);
        let theirs = rows(&case["greedy"]);
        let prompts = [0, 1].map(|i| prompt(&decoder, &case, i));
        for (i, prompt) in prompts.iter().enumerate() {
            let alone = greedy(&decoder, std::slice::from_ref(prompt), N_GREEDY);
            assert_eq!(alone[0].tokens, theirs[i], "{name} {i} alone");
            assert_eq!(alone[0].finish, Finish::Length);
        }
        for (i, answer) in greedy(&decoder, &prompts, N_GREEDY).iter().enumerate() {
            assert_eq!(answer.tokens, theirs[i], "{name} {i} in a batch");
        }
    }
}

#[test]
fn greedy_generation_gives_transformers_tokens() {
    assert_greedy(&Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn greedy_generation_gives_transformers_tokens_on_ndarray() {
    assert_greedy(&Device::ndarray());
}

#[test]
fn prompts_of_unequal_length_answer_as_if_alone() {
    let device = Device::flex();
    for name in ["llama_a", "phi_b", "qwen2_vl_a", "gemma_b", "gemma2_a"] {
        let decoder = load(name, &device);
        let prompts = [&[3, 14, 15, 9, 2][..], &[6], &[5, 3, 5]];
        let prompts = prompts.map(|tokens| Prompt::text(&decoder, tokens));
        let together = greedy(&decoder, &prompts, 12);
        for (prompt, together) in prompts.iter().zip(together) {
            let alone = greedy(&decoder, std::slice::from_ref(prompt), 12);
            assert_eq!(alone[0], together, "{name}");
        }
    }
}

#[test]
fn a_seed_repeats_its_answer_and_stop_tokens_and_callers_end_it() {
    let device = Device::flex();
    let decoder = load("qwen2_a", &device);
    let prompt = [Prompt::text(&decoder, &[1, 2, 3])];
    let sampling = Sampling { temperature: 1.5, top_p: 0.95, ..Sampling::GREEDY };
    let drawn = |seed, stop: Vec<u32>, n: usize| {
        let mut seen = 0;
        let generation = Generation { sampling, seed, ..Generation::greedy(20, stop) };
        let answers = generation.run(&decoder, &prompt, None, &mut |_, _| {
            seen += 1;
            if seen < n { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        answers.expect("the settings are fine").remove(0)
    };
    let first = drawn(1, Vec::new(), 100);
    assert_eq!(first, drawn(1, Vec::new(), 100));
    assert_ne!(first, drawn(2, Vec::new(), 100));
    let ended = drawn(1, vec![first.tokens[5]], 100);
    assert_eq!(ended.finish, Finish::Stop);
    assert!(ended.tokens.len() <= 5 && first.tokens.starts_with(&ended.tokens));
    let cancelled = drawn(1, Vec::new(), 3);
    assert_eq!((cancelled.tokens.len(), cancelled.finish), (3, Finish::Cancelled));
}

/// Codes of 4 and 8 bits are read exactly, in another order of operations.
const LIMIT: f32 = 1e-5;

#[test]
fn a_llama_cpp_file_gives_the_logits_of_its_numbers() {
    let device = Device::flex();
    let golden = Fixture::load(fixtures().join("llama_a.gguf.safetensors"));
    let case = &json(&fixtures().join("cases.json"))["llama_a"];
    let tokens = rows(&case["tokens"]);
    for storage in [None, Some(WeightFormat::F32)] {
        let path = fixtures().join("llama_a.gguf");
        let mut weights = Gguf::open(&path, storage, &device).expect("the file is whole");
        let config = weights.config().expect("it describes a decoder");
        let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default());
        let decoder = decoder.expect("the weights fit");
        weights.finish().expect("every weight is used");
        for (i, tokens) in tokens.iter().enumerate() {
            let x = decoder.embed(tokens).unsqueeze();
            let positions = Positions::text(&[0], tokens.len());
            let logits = decoder.logits(decoder.forward(x, &positions, None));
            let theirs = golden.tensor::<3>("logits", &device).narrow(0, i, 1);
            assert_close(&logits, &theirs, LIMIT, &format!("{storage:?} {i}"));
        }
    }
}
