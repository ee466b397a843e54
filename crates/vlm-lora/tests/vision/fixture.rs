//! The golden files, and the pictures that they were made of.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use cifake::Picture;
use serde_json::Value;
use testkit::{Fixture, assert_close};
use vlm_lora::generate::{Generation, Prompt};
use vlm_lora::text::{AttentionMask, Decoder};

/// Both sides round to f32 after sums of up to 1,176 products; a wrong formula leaves 1e-2 and more.
pub(crate) const LIMIT: f32 = 1e-5;

pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vision").join(name)
}

pub(crate) fn golden(name: &str) -> Fixture {
    Fixture::load(path(&format!("{name}.safetensors")))
}

/// The part `name` of `cases.json`.
pub(crate) fn case(name: &str) -> Value {
    let text = std::fs::read_to_string(path("cases.json")).expect("the fixture is committed");
    let mut cases: Value = serde_json::from_str(&text).expect("the fixture is JSON");
    cases[name].take()
}

/// The numbers in nested lists, one after another.
pub(crate) fn numbers(value: &Value) -> Vec<u32> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_u64().expect("a number") as u32],
    }
}

/// `picture` of `../fixtures/vision.py`.
pub(crate) fn picture(height: u32, width: u32) -> Picture {
    let level = |x: u32, y: u32, c: u32| {
        ((3 * x * x + 5 * y * y + 7 * x * y + 17 * x + 11 * y + 50 * c) % 256) as u8
    };
    let pixel = move |x, y| [0, 1, 2].map(|c| level(x, y, c));
    let row = move |y| (0..width).flat_map(move |x| pixel(x, y));
    Picture::new((0..height).flat_map(row).collect(), width, height).expect("three bytes a pixel")
}

/// Compares each layer of `decoder` and the logits, `[tokens, vocab_size]`.
pub(crate) fn assert_layers(decoder: &Decoder, prompt: &Prompt, golden: &Fixture, name: &str) {
    let device = prompt.embeddings().device();
    let mut x: Tensor<3> = prompt.embeddings().clone().unsqueeze();
    let mask = AttentionMask::with_prefixes(vec![prompt.prefix()]);
    let window = decoder.window_masked(&x, prompt.positions(), &mask, None);
    for (i, layer) in decoder.layers().iter().enumerate() {
        x = layer.forward(x, &window);
        let stage = format!("layers.{i}");
        assert_close(&x, &golden.tensor(&stage, &device), LIMIT, &format!("{name} {stage}"));
    }
    let logits = decoder.logits(decoder.normalize(x));
    assert_close(&logits, &golden.tensor("logits", &device), LIMIT, &format!("{name} logits"));
}

/// The `n` tokens that greedy generation adds to `prompt`.
pub(crate) fn greedy(decoder: &Decoder, prompt: &Prompt, n: usize) -> Vec<u32> {
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let mut answers = Generation::greedy(n, vec![])
        .run(decoder, std::slice::from_ref(prompt), None, go_on)
        .expect("the settings are in bounds");
    answers.remove(0).tokens
}
