//! Gemma 1 and 2 with what the shared decoder offers: narrow storage, adapters, prefixes in a cache.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use testkit::{assert_close, relative_difference};
use vlm_lora::generate::{Generation, Prompt};
use vlm_lora::lora::{
    Adapter, AdapterLimits, LoraConfig, Modules, Reduced, activate, merge, unmerge,
};
use vlm_lora::models::load;
use vlm_lora::text::AttentionMask;
use vlm_lora::tune::{Encoded, Event, Tuner, TuningConfig};
use vlm_lora::{Decoder, DecoderNames, Folder, Positions, TextConfig, WeightFormat};

/// Sums in another order; a wrong mask or norm leaves 1e-2 and more.
const LIMIT: f32 = 1e-4;
const NAMES: [&str; 4] = ["gemma_a", "gemma_b", "gemma2_a", "gemma2_b"];
const TOKENS: [u32; 9] = [5, 9, 2, 40, 7, 7, 33, 12, 1];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/text").join(name)
}

fn config(name: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(path(name).join("config.json")).expect("it is committed");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

fn decoder(name: &str, storage: WeightFormat, device: &Device) -> Decoder {
    let config = TextConfig::from_hugging_face(&config(name)).expect("it is Gemma's");
    let mut weights = Folder::open(&path(name), storage, device).expect("the weights are there");
    Decoder::new(&mut weights, &config, &DecoderNames::default()).expect("the weights fit")
}

/// The scores behind each of `tokens`, `[1, tokens, vocab]`, without a cache.
fn logits(decoder: &Decoder, tokens: &[u32], prefix: usize) -> Tensor<3> {
    let mask = AttentionMask::with_prefixes(vec![prefix]);
    let positions = Positions::text(&[0], tokens.len());
    let embeddings = decoder.embed(tokens).unsqueeze();
    decoder.logits(decoder.forward_masked(embeddings, &positions, &mask, None))
}

#[test]
fn the_table_of_architectures_has_them() {
    for name in NAMES {
        let model = load(&path(name), &config(name), WeightFormat::F32, &Device::flex());
        let model = model.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!model.reads_pictures() && model.decoder().config().embedding_scale > 1.0);
    }
}

#[test]
fn narrow_storage_stays_near_single_precision() {
    let device = Device::flex();
    for name in NAMES {
        let exact = logits(&decoder(name, WeightFormat::F32, &device), &TOKENS, 0);
        for (storage, limit) in [
            (WeightFormat::F16, 0.02),
            (WeightFormat::Bf16, 0.1),
            (WeightFormat::Int8, 0.1),
            (WeightFormat::Int4, 0.6),
        ] {
            let ours = logits(&decoder(name, storage, &device), &TOKENS, 0);
            let [error, whole] = [ours - exact.clone(), exact.clone()]
                .map(|x| x.square().mean().into_scalar::<f32>().sqrt());
            // Scores that have nothing in common differ by 1.4.
            assert!(error / whole < limit, "{name} {storage:?}: {}", error / whole);
        }
    }
}

/// The kernel of the host's cache against burn's operations without a cache.
#[test]
fn a_prefix_in_a_cache_has_the_scores_of_one_without() {
    let device = Device::flex();
    for name in NAMES {
        let decoder = decoder(name, WeightFormat::F32, &device);
        for (prefix, n_first) in [(0, 6), (5, 6), (6, 6), (3, 9)] {
            let whole = logits(&decoder, &TOKENS, prefix);
            // The second sequence is one of two tokens before which stand pads.
            let n_pads = n_first - 2;
            let pads = Tensor::zeros([n_pads, decoder.config().d_model], &device);
            let embeddings = decoder.embed(&TOKENS);
            let short = Tensor::cat(vec![pads, embeddings.clone().narrow(0, 0, 2)], 0);
            let first = embeddings.clone().narrow(0, 0, n_first);
            let batch = Tensor::stack::<3>(vec![first, short], 0);
            let short = Positions::text(&[0], 2).padded(n_pads);
            let positions = Positions::stacked(&[Positions::text(&[0], n_first), short]);
            let mask = AttentionMask::with_prefixes(vec![prefix, 2]);
            let mut cache = decoder.cache(vec![0, n_pads], TOKENS.len());
            let states = decoder.forward_masked(batch, &positions, &mask, Some(&mut cache));
            let mut scores = vec![decoder.logits(states.clone().narrow(0, 0, 1))];
            let alone = logits(&decoder, &TOKENS[..2], 2);
            let padded = decoder.logits(states.narrow(0, 1, 1).narrow(1, n_pads, 2));
            assert_close(&padded, &alone, LIMIT, &format!("{name} behind pads"));
            for (at, token) in TOKENS.iter().enumerate().skip(n_first) {
                let next =
                    decoder.embed(&[*token, *token]).reshape([2, 1, decoder.config().d_model]);
                let places = Positions::text(&[at as u32, (at - n_pads) as u32], 1);
                let states = decoder.forward(next, &places, Some(&mut cache));
                scores.push(decoder.logits(states.narrow(0, 0, 1)));
            }
            let scores = Tensor::cat(scores, 1);
            assert_close(&scores, &whole, LIMIT, &format!("{name} prefix {prefix}"));
        }
    }
}

#[test]
fn a_window_hides_what_is_behind_it_and_a_prefix_does_not() {
    let device = Device::flex();
    let mut config = TextConfig::from_hugging_face(&config("gemma2_a")).expect("it is Gemma's");
    config.sliding_window.as_mut().expect("Gemma 2 has one").layers = vec![true; 3];
    let mut weights = Folder::open(&path("gemma2_a"), WeightFormat::F32, &device).expect("there");
    let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default()).expect("they fit");
    // Three layers of four tokens each reach nine tokens back.
    let tokens: Vec<u32> = (0..14).map(|i| (5 * i + 1) % 61).collect();
    let last = |tokens: &[u32], prefix| logits(&decoder, tokens, prefix).narrow(1, 13, 1);
    let changed = |place: usize, prefix| {
        let mut other = tokens.clone();
        other[place] = 60;
        relative_difference(&last(&other, prefix), &last(&tokens, prefix))
    };
    assert!(changed(3, 0) < 1e-6 && changed(4, 0) > 1e-4);
    assert!(changed(3, 8) > 1e-4, "a token of the prefix leads further back");
}

#[test]
fn an_adapter_begins_as_nothing_is_merged_and_taken_back() {
    let (device, limits) = (Device::flex(), AdapterLimits::default());
    for name in ["gemma_a", "gemma2_a"] {
        for storage in [WeightFormat::F32, WeightFormat::Int8] {
            let mut model = decoder(name, storage, &device);
            let before = logits(&model, &TOKENS, 4);
            let config = LoraConfig::new(2, 4.0, Modules::all_linear());
            let adapter = Adapter::draw(config, &mut model, 7, &limits).expect("layers to adapt");
            assert_eq!(adapter.layers().len(), 7 * model.config().n_layers, "{name}");
            adapter.attach(&mut model, "a", &device, &limits).expect("it was drawn for it");
            assert_close(&logits(&model, &TOKENS, 4), &before, 1e-6, name);
            merge(&mut model, Reduced::ToF32).expect("it is allowed");
            unmerge(&mut model);
            assert_close(&logits(&model, &TOKENS, 4), &before, 1e-6, name);
        }
    }
}

#[test]
fn training_lowers_the_loss_with_layers_computed_once_or_twice() {
    let device = Device::flex();
    for (name, storage) in [("gemma_a", WeightFormat::F32), ("gemma2_a", WeightFormat::Int8)] {
        let mut ends = Vec::new();
        for gradient_checkpointing in [false, true] {
            let answer = (0..TOKENS.len()).map(|at| at > 4).collect();
            let examples = vec![Encoded { tokens: TOKENS.to_vec(), answer }; 2];
            let lora = LoraConfig::new(2, 4.0, Modules::all_linear());
            let config = TuningConfig {
                epochs: 6,
                batch_size: 2,
                accumulation: 1,
                gradient_checkpointing,
                ..TuningConfig::new(lora, 1e-2)
            };
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut model = decoder(name, storage, &device);
            let sets = [examples, Vec::new()];
            let tuner = Tuner::new(&mut model, config, None, sets, folder.path(), &device);
            let mut tuner = tuner.expect("it can run");
            tuner.run(&mut |_: Event| ControlFlow::Continue(())).expect("it trains");
            let losses: Vec<f64> = tuner.history().iter().map(|row| row.loss).collect();
            assert!(losses[5] < losses[0], "{name}: {losses:?}");
            ends.push(losses[5]);
        }
        assert!((ends[0] - ends[1]).abs() < 1e-3, "{name}: {ends:?}");
    }
}

#[test]
fn an_attached_adapter_changes_answers_and_can_be_put_aside() {
    let (device, limits) = (Device::flex(), AdapterLimits::default());
    let mut model = decoder("gemma2_a", WeightFormat::Int4, &device);
    let answer = |model: &Decoder| {
        let prompt = Prompt::text(model, &TOKENS).with_prefix(TOKENS.len());
        let go_on = &mut |_, _| ControlFlow::Continue(());
        let answers = Generation::greedy(6, vec![]).run(model, &[prompt], None, go_on);
        answers.expect("ordinary settings")[0].tokens.clone()
    };
    let before = answer(&model);
    let config = LoraConfig::new(2, 4.0, Modules::all_linear()).with_modules_to_save(&["lm_head"]);
    let adapter = Adapter::draw(config, &mut model, 7, &limits).expect("layers to adapt");
    adapter.attach(&mut model, "a", &device, &limits).expect("it was drawn for it");
    assert_eq!(answer(&model), before, "the head's own weights, whole");
    activate(&mut model, &[]).expect("none is a choice");
    assert_eq!(answer(&model), before);
}
