//! The choice of the next token.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::error::Error;

/// The choice of a token among the scores of all.
///
/// The order is that of transformers' logits processors: repetition penalty, temperature, `top_k`,
/// `top_p`, then a draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Temperature, by which scores are divided; 0 always takes the best token.
    pub temperature: f32,
    /// Only so many of the best tokens are drawn from; 0 means all.
    pub top_k: usize,
    /// Only the best tokens whose probabilities sum to it are drawn from, in `(0, 1]`.
    pub top_p: f32,
    /// Divisor of the positive score of a token that was there before, and factor of a negative one
    /// (arXiv 1909.05858). 1 changes nothing.
    pub repetition_penalty: f32,
}

impl Sampling {
    /// The best token, every time.
    pub const GREEDY: Self =
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, repetition_penalty: 1.0 };

    fn check(&self) -> Result<(), Error> {
        let wrong = |setting, found: f32, expected: &str| {
            Err(Error::Setting { setting, found: found.to_string(), expected: expected.to_owned() })
        };
        if !(0.0..=100.0).contains(&self.temperature) {
            return wrong("temperature", self.temperature, "a number from 0 to 100");
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top_p", self.top_p, "a number above 0 and up to 1");
        }
        if !(0.01..=100.0).contains(&self.repetition_penalty) {
            return wrong(
                "repetition_penalty",
                self.repetition_penalty,
                "a number from 0.01 to 100",
            );
        }
        Ok(())
    }
}

impl Default for Sampling {
    /// Temperature 0.7 and `top_p` 0.9, nothing else.
    fn default() -> Self {
        Self { temperature: 0.7, top_p: 0.9, ..Self::GREEDY }
    }
}

/// A [`Sampling`] with its random numbers.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
    order: Vec<u32>,
}

impl Sampler {
    /// Draws by `seed`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number outside its range.
    pub fn new(sampling: Sampling, seed: u64) -> Result<Self, Error> {
        sampling.check()?;
        Ok(Self { sampling, rng: ChaCha8Rng::seed_from_u64(seed), order: Vec::new() })
    }

    /// The next token after `history` by its `scores`, which are changed; tokens with a score of
    /// `-inf` are never chosen. `None` where that is all of them, or none is a number.
    pub fn pick(&mut self, scores: &mut [f32], history: &[u32]) -> Option<u32> {
        let Sampling { temperature, top_k, top_p, repetition_penalty } = self.sampling;
        if repetition_penalty != 1.0 {
            penalize(scores, history, repetition_penalty);
        }
        let is_chance = |i: &u32| scores[*i as usize] > f32::NEG_INFINITY;
        if temperature == 0.0 {
            // Of equal scores the first token, as in torch.
            let better =
                |a: u32, b: u32| if scores[b as usize] > scores[a as usize] { b } else { a };
            return (0..scores.len() as u32).filter(is_chance).reduce(better);
        }
        self.order.clear();
        self.order.extend((0..scores.len() as u32).filter(is_chance));
        let by_score = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]);
        if top_k > 0 && top_k < self.order.len() {
            self.order.select_nth_unstable_by(top_k - 1, by_score);
            self.order.truncate(top_k);
        }
        self.order.sort_unstable_by(|a, b| by_score(a, b).then(a.cmp(b)));
        let best = scores[*self.order.first()? as usize];
        let weight = |i: &u32| f64::from((scores[*i as usize] - best) / temperature).exp();
        let total: f64 = self.order.iter().map(weight).sum();
        let mut kept = 0.0;
        let mut n_kept = 0;
        for i in &self.order {
            kept += weight(i);
            n_kept += 1;
            if kept >= f64::from(top_p) * total {
                break;
            }
        }
        let mut left = self.rng.random_range(0.0..1.0) * kept;
        let drawn = self.order[..n_kept].iter().find(|i| {
            left -= weight(i);
            left < 0.0
        });
        drawn.or(self.order[..n_kept].last()).copied()
    }
}

fn penalize(scores: &mut [f32], history: &[u32], penalty: f32) {
    let mut seen: Vec<u32> = history.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for token in seen {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = if *score > 0.0 { *score / penalty } else { *score * penalty };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f32; 5] = [1.0, 3.0, f32::NEG_INFINITY, 2.0, 3.0];

    fn drawn(sampling: Sampling, n: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling, 1).expect("the settings are fine");
        (0..n).map(|_| sampler.pick(&mut SCORES.clone(), &[]).expect("a token")).collect()
    }

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        assert_eq!(drawn(Sampling::GREEDY, 3), [1, 1, 1]);
    }

    #[test]
    fn draws_follow_the_softmax() {
        let n = 20_000;
        let drawn = drawn(Sampling { temperature: 2.0, top_p: 1.0, ..Sampling::GREEDY }, n);
        let total: f32 = SCORES.iter().map(|s| (s / 2.0).exp()).sum();
        for (token, score) in SCORES.iter().enumerate() {
            let share = drawn.iter().filter(|t| **t as usize == token).count() as f32 / n as f32;
            let expected = (score / 2.0).exp() / total;
            assert!((share - expected).abs() < 0.02, "{token}: {share}, not {expected}");
        }
    }

    #[test]
    fn top_k_and_top_p_leave_the_best() {
        let all = Sampling { temperature: 5.0, top_p: 1.0, ..Sampling::GREEDY };
        let kinds = |sampling| {
            let mut kinds = drawn(sampling, 500);
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        };
        assert_eq!(kinds(all), [0, 1, 3, 4]);
        assert_eq!(kinds(Sampling { top_k: 3, ..all }), [1, 3, 4]);
        assert_eq!(kinds(Sampling { top_k: 1, ..all }).len(), 1);
        assert_eq!(kinds(Sampling { top_p: 0.4, ..all }), [1, 4]);
    }

    #[test]
    fn a_penalty_makes_repetition_less_likely() {
        let sampling = Sampling { repetition_penalty: 2.0, ..Sampling::GREEDY };
        let mut sampler = Sampler::new(sampling, 1).expect("the settings are fine");
        assert_eq!(sampler.pick(&mut [2.0, 3.0, -1.0], &[1, 1]), Some(0));
        assert_eq!(sampler.pick(&mut [-1.0, -1.5], &[0]), Some(1));
    }

    #[test]
    fn broken_scores_give_no_token_and_broken_settings_an_error() {
        let mut sampler = Sampler::new(Sampling::default(), 1).expect("the settings are fine");
        assert_eq!(sampler.pick(&mut [f32::NAN, f32::NEG_INFINITY], &[]), None);
        for sampling in [
            Sampling { temperature: f32::NAN, ..Sampling::GREEDY },
            Sampling { temperature: -1.0, ..Sampling::GREEDY },
            Sampling { top_p: 0.0, ..Sampling::GREEDY },
            Sampling { repetition_penalty: 0.0, ..Sampling::GREEDY },
        ] {
            assert!(matches!(Sampler::new(sampling, 1), Err(Error::Setting { .. })));
        }
    }
}
