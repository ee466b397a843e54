//! The generation loop.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, TensorData};

use super::constraint::Constraint;
use super::rules::TokenRules;
use super::sampling::{Sampler, Sampling};
use crate::error::Error;
use crate::source::Limits;
use crate::text::{AttentionMask, Cache, Decoder, Positions, Prompt};

/// Bytes of keys and values, at most.
const MAX_CACHE_BYTES: u64 = 64 << 30;

/// The length of a generation and the choice of its tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Tokens of an answer, at most, the one that ends it included.
    pub max_tokens: usize,
    /// Tokens that end an answer.
    pub stop: Vec<u32>,
    /// Tokens that may not come; a constraint that would leave none of the others outranks them.
    pub rules: TokenRules,
    /// The choice.
    pub sampling: Sampling,
    /// Of the choice; sequence `i` of a batch draws by `seed + i`.
    pub seed: u64,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// A stop token came.
    Stop,
    /// `max_tokens` came.
    Length,
    /// The caller had enough.
    Cancelled,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Its tokens, without the one that ended it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

/// A sequence of a batch.
struct Sequence {
    history: Vec<u32>,
    n_prompt: usize,
    next: u32,
    /// Tokens that may still come.
    left: usize,
    sampler: Sampler,
    constraint: Option<Box<dyn Constraint>>,
    finish: Option<Finish>,
}

impl Generation {
    /// Answers of at most `max_tokens` tokens that end with one of `stop`, chosen greedily.
    #[must_use]
    pub fn greedy(max_tokens: usize, stop: Vec<u32>) -> Self {
        let (rules, sampling) = (TokenRules::default(), Sampling::GREEDY);
        Self { max_tokens, stop, rules, sampling, seed: 0 }
    }

    /// Answers to all `prompts`, in their order. `on_token` gets the number of a sequence and each
    /// token of its answer as it comes, and can end it. The answer to a prompt does not depend on
    /// the other prompts, up to rounding. Shorter prompts are padded on the left with masked
    /// tokens. An answer ends with [`Finish::Length`] where the positions end that the model was
    /// made for.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings outside their ranges, for a prompt of more positions than the model
    /// was made for, for a constraint that cannot be kept within
    /// `max_tokens`, and where the scores are no numbers; [`Error::Limit`] where keys and values would
    /// take more than 64 GiB.
    pub fn run(
        &self,
        decoder: &Decoder,
        prompts: &[Prompt],
        constraint: Option<&dyn Constraint>,
        on_token: &mut dyn FnMut(usize, u32) -> ControlFlow<()>,
    ) -> Result<Vec<Generated>, Error> {
        let mut sequences = self.sequences(decoder, prompts, constraint)?;
        if prompts.is_empty() || self.max_tokens == 0 {
            return Ok(sequences.into_iter().map(Sequence::done).collect());
        }
        let longest = prompts.iter().map(Prompt::len).max().unwrap_or_default();
        let most = sequences.iter().map(|sequence| sequence.left).max().unwrap_or_default();
        let capacity = longest.saturating_add(most);
        let bytes = Cache::bytes(decoder.config(), prompts.len(), capacity);
        Limits::check("the memory of keys and values, in bytes,", bytes, MAX_CACHE_BYTES)?;
        let n_pads = prompts.iter().map(|prompt| longest - prompt.len()).collect();
        let mask = AttentionMask::with_prefixes(prompts.iter().map(Prompt::prefix).collect());
        let mut cache = decoder.cache(n_pads, capacity);
        let (embeddings, positions) = batch(prompts, longest);
        let hidden = decoder.forward_masked(embeddings, &positions, &mask, Some(&mut cache));
        let mut hidden = hidden.narrow(1, longest - 1, 1);
        for step in 1..=most {
            let scores = decoder.logits(hidden).into_data();
            let mut scores = scores.convert::<f32>().try_to_vec().unwrap_or_default();
            let n_scores = scores.len() / sequences.len();
            for (i, scores) in scores.chunks_exact_mut(n_scores).enumerate() {
                if sequences[i].finish.is_none() {
                    self.choose(&mut sequences[i], scores, &mut |token| on_token(i, token))?;
                }
            }
            if step == most || sequences.iter().all(|sequence| sequence.finish.is_some()) {
                break;
            }
            let last: Vec<u32> = sequences.iter().map(Sequence::last).collect();
            let starts: Vec<u32> = sequences.iter_mut().map(Sequence::place).collect();
            let embeddings = decoder.embed(&last).unsqueeze_dim(1);
            hidden = decoder.forward(embeddings, &Positions::text(&starts, 1), Some(&mut cache));
        }
        Ok(sequences.into_iter().map(Sequence::done).collect())
    }

    fn sequences(
        &self,
        decoder: &Decoder,
        prompts: &[Prompt],
        constraint: Option<&dyn Constraint>,
    ) -> Result<Vec<Sequence>, Error> {
        let sequence = |(i, prompt): (usize, &Prompt)| {
            prompt.check_positions(decoder)?;
            let next = prompt.positions().next(0);
            // The last token of an answer needs no place.
            let room = (decoder.config().max_positions - next as usize).saturating_add(1);
            let left = self.max_tokens.min(room);
            if let Some(constraint) = constraint
                && constraint.min_tokens() > left
            {
                let expected = format!("at least {} for this constraint", constraint.min_tokens());
                let found = left.to_string();
                return Err(Error::Setting { setting: "max_tokens", found, expected });
            }
            Ok(Sequence {
                history: prompt.tokens().to_vec(),
                n_prompt: prompt.len(),
                next,
                left,
                sampler: Sampler::new(self.sampling, self.seed.wrapping_add(i as u64))?,
                constraint: constraint.map(Constraint::fresh),
                finish: None,
            })
        };
        prompts.iter().enumerate().map(sequence).collect()
    }

    /// Chooses the next token of `sequence`.
    fn choose(
        &self,
        sequence: &mut Sequence,
        scores: &mut [f32],
        on_token: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let left = sequence.left;
        let mask = sequence.constraint.as_mut().map(|constraint| constraint.mask(left));
        if !self.rules.is_empty() {
            let free = mask.is_some().then(|| scores.to_vec());
            self.rules.apply(scores, &sequence.history, sequence.n_prompt, &self.stop);
            if let (Some(mask), Some(free)) = (&mask, free) {
                let may = |(token, score): (usize, &f32)| {
                    mask.allows(token as u32) && *score > f32::NEG_INFINITY
                };
                if !scores.iter().enumerate().any(may) {
                    scores.copy_from_slice(&free);
                }
            }
        }
        if let Some(mask) = mask {
            mask.apply(scores);
        }
        let token = sequence.sampler.pick(scores, &sequence.history);
        let token = token.ok_or_else(|| Error::Setting {
            setting: "scores",
            found: "without a number".to_owned(),
            expected: "finite weights of the model".to_owned(),
        })?;
        if let Some(constraint) = &mut sequence.constraint {
            constraint.advance(token);
        }
        if self.stop.contains(&token) {
            sequence.finish = Some(Finish::Stop);
            return Ok(());
        }
        sequence.history.push(token);
        sequence.left -= 1;
        if on_token(token).is_break() {
            sequence.finish = Some(Finish::Cancelled);
        } else if sequence.left == 0 {
            sequence.finish = Some(Finish::Length);
        }
        Ok(())
    }
}

impl Sequence {
    /// The last token. The value does not matter once the sequence has ended.
    fn last(&self) -> u32 {
        self.history.last().copied().unwrap_or_default()
    }

    /// Its position.
    fn place(&mut self) -> u32 {
        let place = self.next;
        self.next += 1;
        place
    }

    fn done(mut self) -> Generated {
        let tokens = self.history.split_off(self.n_prompt);
        Generated { tokens, finish: self.finish.unwrap_or(Finish::Length) }
    }
}

/// All prompts, padded on the left to `longest` tokens.
fn batch(prompts: &[Prompt], longest: usize) -> (Tensor<3>, Positions) {
    let padded = |prompt: &Prompt| {
        let embeddings = prompt.embeddings().clone();
        let [n_tokens, d_model] = embeddings.dims();
        if n_tokens == longest {
            return embeddings.unsqueeze();
        }
        let n_pads = longest - n_tokens;
        let pads = TensorData::new(vec![0f32; n_pads * d_model], [n_pads, d_model]);
        let pads = Tensor::from_data(pads, &embeddings.device());
        Tensor::cat(vec![pads, embeddings], 0).unsqueeze()
    };
    let embeddings = Tensor::cat(prompts.iter().map(padded).collect(), 0);
    let positions: Vec<Positions> =
        prompts.iter().map(|prompt| prompt.positions().padded(longest - prompt.len())).collect();
    (embeddings, Positions::stacked(&positions))
}
