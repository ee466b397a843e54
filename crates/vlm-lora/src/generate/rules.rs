//! Forbidden tokens.

/// Tokens that a model's makers forbid, by the rules of transformers' logits processors (5.24,
/// `generation/logits_process.py`). The rules hold for greedy choices as for draws.
///
/// ```
/// use vlm_lora::generate::TokenRules;
///
/// let rules = TokenRules { no_repeat_ngram_size: 2, ..TokenRules::default() };
/// let mut scores = [0.0; 4];
/// rules.apply(&mut scores, &[3, 1, 3], 1, &[]);
/// assert_eq!(scores, [0.0, f32::NEG_INFINITY, 0.0, 0.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenRules {
    /// No sequence of so many tokens comes twice, that of the prompt included; 0 allows all.
    pub no_repeat_ngram_size: usize,
    /// Tokens that never come.
    pub suppress_tokens: Vec<u32>,
    /// Tokens with which no answer begins.
    pub begin_suppress_tokens: Vec<u32>,
    /// Tokens of an answer before one may end it.
    pub min_new_tokens: usize,
    /// Tokens of prompt and answer before one may end it.
    pub min_length: usize,
}

impl TokenRules {
    /// Sets the scores of tokens that may not follow `history` to `-inf`. The first `n_prompt`
    /// tokens of `history` are the prompt's; `stop` are the tokens that end an answer.
    pub fn apply(&self, scores: &mut [f32], history: &[u32], n_prompt: usize, stop: &[u32]) {
        let mut forbid = |token: u32| {
            if let Some(score) = scores.get_mut(token as usize) {
                *score = f32::NEG_INFINITY;
            }
        };
        let n_new = history.len().saturating_sub(n_prompt);
        self.suppress_tokens.iter().copied().for_each(&mut forbid);
        if n_new == 0 {
            self.begin_suppress_tokens.iter().copied().for_each(&mut forbid);
        }
        if n_new < self.min_new_tokens || history.len() < self.min_length {
            stop.iter().copied().for_each(&mut forbid);
        }
        let n = self.no_repeat_ngram_size;
        if n > 0 && history.len() >= n {
            let last = &history[history.len() + 1 - n..];
            let repeats = history.windows(n).filter(|window| window[..n - 1] == *last);
            repeats.for_each(|window| forbid(window[n - 1]));
        }
    }

    /// Whether nothing is forbidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forbidden(rules: &TokenRules, history: &[u32], n_prompt: usize) -> Vec<usize> {
        let mut scores = [1.0; 6];
        rules.apply(&mut scores, history, n_prompt, &[5]);
        (0..6).filter(|token| scores[*token] == f32::NEG_INFINITY).collect()
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let rules = |n| TokenRules { no_repeat_ngram_size: n, ..TokenRules::default() };
        let history = [1, 2, 3, 1, 2, 4, 1, 2];
        assert!(forbidden(&rules(0), &history, 3).is_empty());
        assert_eq!(forbidden(&rules(1), &history, 3), [1, 2, 3, 4]);
        assert_eq!(forbidden(&rules(2), &history, 3), [3, 4]);
        assert_eq!(forbidden(&rules(3), &history, 3), [3, 4]);
        assert!(forbidden(&rules(4), &history, 3).is_empty());
        assert!(forbidden(&rules(9), &history, 3).is_empty());
    }

    #[test]
    fn tokens_are_suppressed_always_or_at_the_beginning() {
        let rules = TokenRules {
            suppress_tokens: vec![0, 99],
            begin_suppress_tokens: vec![2],
            ..TokenRules::default()
        };
        assert_eq!(forbidden(&rules, &[1, 1], 2), [0, 2]);
        assert_eq!(forbidden(&rules, &[1, 1], 1), [0]);
    }

    #[test]
    fn an_answer_does_not_end_too_early() {
        let new = TokenRules { min_new_tokens: 2, ..TokenRules::default() };
        assert_eq!(forbidden(&new, &[1, 1, 1], 2), [5]);
        assert!(forbidden(&new, &[1, 1, 1, 1], 2).is_empty());
        let all = TokenRules { min_length: 3, ..TokenRules::default() };
        assert_eq!(forbidden(&all, &[1, 1], 2), [5]);
        assert!(forbidden(&all, &[1, 1, 1], 2).is_empty());
    }
}
