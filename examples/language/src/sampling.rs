//! How a program's arguments become a generation.

use std::sync::Arc;

use explain::Artifact;
use vlm_lora::generate::{Generation, GenerationDefaults, ListConstraint, Sampling};
use vlm_lora::{Assistant, Error};

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
    /// What scores are divided by before a token is drawn [default: the model's own, or 0.7].
    #[arg(long)]
    temperature: Option<f32>,
    /// Draw from so many of the best tokens; 0 means all [default: the model's own, or 0].
    #[arg(long)]
    top_k: Option<usize>,
    /// Draw from the best tokens whose probabilities sum to it [default: the model's own, or 0.9].
    #[arg(long)]
    top_p: Option<f32>,
    /// What the scores of tokens that were there before are divided by [default: the model's own, or 1].
    #[arg(long)]
    repetition_penalty: Option<f32>,
    /// Of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl SamplingArgs {
    /// A generation of at most `max_tokens` tokens: as the arguments say, and where they say nothing, as
    /// the model's `defaults` do.
    ///
    /// # Errors
    ///
    /// If the model's makers draw in a way that is not built.
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
