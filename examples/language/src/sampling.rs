//! How a program's arguments become a generation.

use std::sync::Arc;

use explain::Artifact;
use vlm_lora::generate::{Generation, ListConstraint, Sampling};
use vlm_lora::{Assistant, Error, Storage};

/// Artifacts of a list, at most.
const MAX_ITEMS: usize = 7;
/// Words of a remark, at most.
const MAX_WORDS: usize = 50;

/// How tokens are chosen.
#[derive(Debug, Clone, clap::Args)]
pub struct SamplingArgs {
    /// Take the best token each time, and draw nothing.
    #[arg(long)]
    greedy: bool,
    /// What scores are divided by before a token is drawn.
    #[arg(long, default_value_t = 0.7)]
    temperature: f32,
    /// Draw from so many of the best tokens; 0 means all.
    #[arg(long, default_value_t = 0)]
    top_k: usize,
    /// Draw from the best tokens whose probabilities sum to it.
    #[arg(long, default_value_t = 0.9)]
    top_p: f32,
    /// What the scores of tokens that were there before are divided by.
    #[arg(long, default_value_t = 1.0)]
    repetition_penalty: f32,
    /// Of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl SamplingArgs {
    /// A generation of at most `max_tokens` tokens that ends with one of `stop`.
    #[must_use]
    pub fn generation(&self, max_tokens: usize, stop: &[u32]) -> Generation {
        let &Self { greedy, temperature, top_k, top_p, repetition_penalty, seed } = self;
        let temperature = if greedy { 0.0 } else { temperature };
        let sampling = Sampling { temperature, top_k, top_p, repetition_penalty };
        Generation { max_tokens, stop: stop.to_vec(), sampling, seed }
    }
}

/// The storage called `name`: for the arguments of a program.
///
/// # Errors
///
/// What the names are.
pub fn storage_named(name: &str) -> Result<Storage, &'static str> {
    match name {
        "f32" => Ok(Storage::F32),
        "f16" => Ok(Storage::F16),
        "bf16" => Ok(Storage::Bf16),
        "int8" => Ok(Storage::Int8),
        "int4" => Ok(Storage::Int4),
        _ => Err("f32, f16, bf16, int8 or int4"),
    }
}

/// Lists of the known artifacts in the tokens of `assistant`.
///
/// # Errors
///
/// If its tokenizer cannot spell them, or it has no token that ends an answer.
pub fn artifact_list(assistant: &Assistant) -> Result<ListConstraint, Error> {
    let names: Vec<&str> = Artifact::all().map(Artifact::name).collect();
    let n_tokens = assistant.decoder().config().vocab_size;
    let vocabulary = Arc::new(assistant.tokenizer().vocabulary(n_tokens));
    ListConstraint::new(&names, vocabulary, assistant.stop(), MAX_ITEMS, MAX_WORDS)
}
