//! Arguments of a generation.

use std::sync::Arc;

use explain::Artifact;
use vlm_lora::generate::{Generation, GenerationDefaults, ListConstraint, Sampling};
use vlm_lora::{Assistant, Error};

/// Maximum number of artifacts in a list.
const MAX_ITEMS: usize = 7;
/// Maximum number of words in a remark.
const MAX_WORDS: usize = 50;

/// The choice of tokens.
#[derive(Debug, Clone, clap::Args)]
pub struct SamplingArgs {
    /// Greedy decoding: always take the most likely token.
    #[arg(long)]
    greedy: bool,
    /// Sampling temperature [default: the model's own, or 0.7].
    #[arg(long)]
    temperature: Option<f32>,
    /// Sample from this many of the most likely tokens; 0 means all [default: the model's own, or 0].
    #[arg(long)]
    top_k: Option<usize>,
    /// Sample from the most likely tokens up to this total probability [default: the model's own, or 0.9].
    #[arg(long)]
    top_p: Option<f32>,
    /// Penalty on the scores of repeated tokens; 1 means none [default: the model's own, or 1].
    #[arg(long)]
    repetition_penalty: Option<f32>,
    /// Seed of sampling.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl SamplingArgs {
    /// A generation of at most `max_tokens` tokens. Arguments that are not given take the model's
    /// `defaults`.
    ///
    /// # Errors
    ///
    /// If the model's defaults need a sampling method that is not implemented.
    pub fn generation(
        &self,
        max_tokens: usize,
        defaults: &GenerationDefaults,
    ) -> Result<Generation, Error> {
        let mut generation = defaults.greedy(max_tokens);
        generation.seed = self.seed;
        let sampling = &mut generation.sampling;
        if !self.greedy {
            *sampling = defaults.sampling(Sampling::default())?;
            sampling.temperature = self.temperature.unwrap_or(sampling.temperature);
            sampling.top_k = self.top_k.unwrap_or(sampling.top_k);
            sampling.top_p = self.top_p.unwrap_or(sampling.top_p);
        }
        let penalty = self.repetition_penalty.unwrap_or(sampling.repetition_penalty);
        sampling.repetition_penalty = penalty;
        Ok(generation)
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
