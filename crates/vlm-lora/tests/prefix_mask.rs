//! Prefix-LM attention: the tokens of a prefix see each other, all others are causal.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use testkit::assert_close;
use vlm_lora::generate::{Generation, Prompt};
use vlm_lora::text::AttentionMask;
use vlm_lora::{Decoder, DecoderNames, Positions, Random, TextConfig, WeightFormat};

/// Sums in another order; a wrong mask leaves 1e-2 and more.
const LIMIT: f32 = 1e-4;

fn decoder() -> Decoder {
    let config = TextConfig::llama(40, [32, 64], 2, [4, 2]);
    let mut weights = Random::new(9, WeightFormat::F32, &Device::flex());
    Decoder::new(&mut weights, &config, &DecoderNames::default()).expect("it is drawn")
}

/// The last hidden states, `[1, tokens, d_model]`.
fn hidden(decoder: &Decoder, tokens: &[u32], prefix: usize) -> Tensor<3> {
    let mask = AttentionMask::with_prefixes(vec![prefix]);
    let positions = Positions::text(&[0], tokens.len());
    decoder.forward_masked(decoder.embed(tokens).unsqueeze(), &positions, &mask, None)
}

fn difference(a: Tensor<3>, b: Tensor<3>) -> f32 {
    (a - b).abs().max().into_scalar::<f32>()
}

#[test]
fn the_tokens_of_a_prefix_see_each_other_and_nothing_behind() {
    let decoder = decoder();
    let tokens = [1, 2, 3, 4, 5, 6];
    let first = |tokens: &[u32], prefix| hidden(&decoder, tokens, prefix).narrow(1, 0, 1);
    let plain = first(&tokens, 3);
    let changed = |place: usize| {
        let mut other = tokens;
        other[place] = 30;
        difference(first(&other, 3), plain.clone())
    };
    assert!(changed(2) > 1e-3, "the first token sees the last of the prefix");
    assert!(changed(3) < 1e-6, "it sees nothing behind the prefix");
    // A prefix of one token, or of none, is causal.
    let causal = hidden(&decoder, &tokens, 0);
    assert_close(&hidden(&decoder, &tokens, 1), &causal, LIMIT, "one token");
    assert!(difference(hidden(&decoder, &tokens, 3), causal) > 1e-3);
}

#[test]
fn generation_with_a_cache_is_that_without() {
    let decoder = decoder();
    let prompts: Vec<Prompt> =
        [(&[1u32, 2, 3, 4, 5][..], 4), (&[7, 8][..], 2), (&[9, 3, 5][..], 0)]
            .into_iter()
            .map(|(tokens, prefix)| Prompt::text(&decoder, tokens).with_prefix(prefix))
            .collect();
    let go_on = &mut |_, _| ControlFlow::Continue(());
    let answers = Generation::greedy(5, vec![]).run(&decoder, &prompts, None, go_on);
    for (answer, prompt) in answers.expect("ordinary settings").iter().zip(&prompts) {
        let mut tokens = prompt.tokens().to_vec();
        for token in &answer.tokens {
            let states = hidden(&decoder, &tokens, prompt.prefix());
            let last = states.narrow(1, tokens.len() - 1, 1);
            let best = decoder.logits(last).argmax(2).into_data();
            let best = best.iter::<i64>().next().expect("one token") as u32;
            assert_eq!(best, *token, "behind {tokens:?}");
            tokens.push(best);
        }
    }
}

#[test]
#[should_panic(expected = "one prefix a sequence")]
fn a_mask_is_of_its_batch() {
    let decoder = decoder();
    let mask = AttentionMask::with_prefixes(vec![1, 1]);
    let embeddings = decoder.embed(&[1, 2]).unsqueeze();
    let _ = decoder.forward_masked(embeddings, &Positions::text(&[0], 2), &mask, None);
}
