//! A model of random weights that is held to a list answers with a list, every time.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::Device;
use vlm_lora::generate::{Finish, Generation, ListConstraint, Prompt, Sampling, Vocabulary};
use vlm_lora::{Decoder, DecoderNames, Random, TextConfig, WeightFormat};

const NAMES: [&str; 10] = [
    "Edge",
    "Edge halo",
    "Over-smoothing",
    "Colour bleeding",
    "Lighting",
    "Repeated texture",
    "Asymmetric eyes",
    "Glow",
    "Größe",
    "Ghosting: doubled parts",
];
/// Tokens of one byte, then some of several, then the end.
const LONG: [&str; 12] =
    [" the", "ing", "Edge", ": ", " a b", ".\n", "\n", "Over", " \n", "ä", "  ", "tion "];
const N_GENERATIONS: usize = 1000;
const BATCH: usize = 50;

#[test]
fn a_thousand_answers_of_random_models_are_valid() {
    let device = Device::flex();
    let tokens = (0..=255).map(|byte| vec![byte]).chain(LONG.map(|text| text.as_bytes().to_vec()));
    let vocabulary = Arc::new(Vocabulary::new(tokens.map(Some).chain([None])));
    let (n_tokens, end) = (vocabulary.n_tokens(), vocabulary.n_tokens() as u32 - 1);
    let config = TextConfig::llama(n_tokens, [16, 24], 1, [2, 1]);
    let mut n_items = [0; 8];
    for round in 0..N_GENERATIONS / BATCH {
        let seed = round as u64;
        let mut weights = Random::new(seed, WeightFormat::F32, &device);
        let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default());
        let decoder = decoder.expect("random weights fit");
        let (max_items, max_words) = if round % 2 == 0 { (7, 50) } else { (3, 4) };
        let list =
            ListConstraint::new(&NAMES, Arc::clone(&vocabulary), &[end], max_items, max_words);
        let list = list.expect("the names can be spelled");
        let prompts: Vec<Prompt> =
            (0..BATCH).map(|i| Prompt::text(&decoder, &[i as u32, 7, 9][..1 + i % 3])).collect();
        let sampling = Sampling { temperature: [0.0, 1.0, 5.0][round % 3], ..Sampling::GREEDY };
        let max_tokens = [30, 60, 160][round % 3];
        let generation = Generation { sampling, seed, ..Generation::greedy(max_tokens, vec![end]) };
        let mut on_token = |_: usize, _: u32| ControlFlow::Continue(());
        let answers = generation.run(&decoder, &prompts, Some(&list), &mut on_token);
        for answer in answers.expect("the settings are fine") {
            assert_eq!(answer.finish, Finish::Stop);
            let bytes: Vec<u8> =
                answer.tokens.iter().flat_map(|token| vocabulary.bytes(*token)).copied().collect();
            let text = String::from_utf8(bytes).expect("whole characters");
            let items = list.parse(&text).unwrap_or_else(|| panic!("no list: {text:?}"));
            assert!((1..=max_items).contains(&items.len()), "{text:?}");
            n_items[items.len()] += 1;
            for (i, (name, remark)) in items.iter().enumerate() {
                assert!(NAMES.contains(&name.as_str()), "{text:?}");
                assert!(items[..i].iter().all(|(other, _)| other != name), "{text:?}");
                assert!((1..=max_words).contains(&remark.split_whitespace().count()), "{text:?}");
            }
        }
    }
    assert_eq!(n_items.iter().sum::<usize>(), N_GENERATIONS);
    assert!(n_items[3] > 0, "some have several items: {n_items:?}");
}
