//! A conversation as tokens, and which of them are learned.

use super::conversation::{Conversation, Speaker, Turn};
use crate::error::{Error, TrainingError};

/// A chat template and a tokenizer: the one makes a text of turns, the other makes tokens of a
/// text.
pub trait Dialogue {
    /// The text of `turns`; with `open` up to where the assistant begins its next one. It may mark
    /// the text of a turn, as [`ChatTemplate::render_marked`](crate::ChatTemplate::render_marked)
    /// does.
    ///
    /// # Errors
    /// Those of the template.
    fn render(&self, turns: &[Turn], open: bool) -> Result<String, Error>;

    /// The tokens of a part of such a text, in which special tokens are spelled out; none is added.
    ///
    /// # Errors
    /// Those of the tokenizer.
    fn tokens(&self, text: &str) -> Result<Vec<u32>, Error>;
}

/// Tokens of an example. A token is learned if its `answer` is true: it belongs to an answer or
/// ends it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Encoded {
    /// Tokens.
    pub tokens: Vec<u32>,
    /// Whether each is learned; as long as `tokens`.
    pub answer: Vec<bool>,
}

impl Encoded {
    /// Adds tokens that are learned or not.
    pub fn extend(&mut self, tokens: &[u32], answer: bool) {
        self.tokens.extend_from_slice(tokens);
        self.answer.resize(self.tokens.len(), answer);
    }

    /// Leaves out what comes after the first `max_tokens`.
    pub fn truncate(&mut self, max_tokens: usize) {
        self.tokens.truncate(max_tokens);
        self.answer.truncate(max_tokens);
    }

    /// Tokens that carry loss: the first one of a sequence has nothing before it to be told from.
    #[must_use]
    pub fn n_targets(&self) -> usize {
        self.answer.iter().skip(1).filter(|&&answer| answer).count()
    }

    /// Places whose output is compared, with the token that should follow.
    pub fn targets(&self) -> impl Iterator<Item = (usize, u32)> {
        let following = self.tokens.iter().zip(&self.answer).enumerate().skip(1);
        following.filter(|(_, (_, answer))| **answer).map(|(at, (&token, _))| (at - 1, token))
    }
}

/// The tokens of `conversation`.
///
/// The answers of the assistant, and the tokens that end them, are learned. White space that the
/// template puts behind them is not learned. Each part is tokenized by itself, so that a prompt has
/// the tokens that it has when the model answers it.
///
/// # Errors
/// [`TrainingError::Template`], and those of `dialogue`.
pub fn encode(conversation: &Conversation, dialogue: &dyn Dialogue) -> Result<Encoded, Error> {
    let turns = &conversation.turns;
    let mut encoded = Encoded::default();
    let mut written = String::new();
    for (index, turn) in turns.iter().enumerate() {
        if turn.speaker != Speaker::Assistant {
            continue;
        }
        let before = dialogue.render(&turns[..index], true)?;
        let after = dialogue.render(&turns[..=index], false)?;
        let differs = || Error::from(TrainingError::Template { turn: index });
        let prompt = before.strip_prefix(&*written).ok_or_else(differs)?;
        let answer = after.strip_prefix(&*before).ok_or_else(differs)?;
        encoded.extend(&dialogue.tokens(prompt)?, false);
        encoded.extend(&dialogue.tokens(answer.trim_end())?, true);
        written = format!("{before}{}", answer.trim_end());
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A template like Qwen's; a token a character.
    struct Letters;

    impl Dialogue for Letters {
        fn render(&self, turns: &[Turn], open: bool) -> Result<String, Error> {
            let turn = |turn: &Turn| {
                let initial = &turn.speaker.name()[..1];
                format!("[{initial}]{}|\n", turn.text)
            };
            let text: String = turns.iter().map(turn).collect();
            Ok(if open { text + "[a]" } else { text })
        }

        fn tokens(&self, text: &str) -> Result<Vec<u32>, Error> {
            Ok(text.chars().map(u32::from).collect())
        }
    }

    fn turns(texts: &[&str]) -> Conversation {
        let turn = |(i, text): (usize, &&str)| Turn {
            speaker: [Speaker::User, Speaker::Assistant][i % 2],
            text: (*text).to_owned(),
        };
        let turns = texts.iter().enumerate().map(turn).collect();
        Conversation { id: None, turns, images: Vec::new() }
    }

    fn learned(encoded: &Encoded) -> String {
        let both = encoded.tokens.iter().zip(&encoded.answer);
        both.map(|(&t, &a)| if a { char::from_u32(t).expect("a letter") } else { '.' }).collect()
    }

    #[test]
    fn answers_and_their_ends_are_learned_and_nothing_else() {
        let encoded = encode(&turns(&["hi", "yes", "so", "no"]), &Letters).expect("it is regular");
        let text: String = encoded.tokens.iter().filter_map(|&t| char::from_u32(t)).collect();
        assert_eq!(text, "[u]hi|\n[a]yes|\n[u]so|\n[a]no|");
        assert_eq!(learned(&encoded), "..........yes|...........no|");
        assert_eq!(encoded.n_targets(), 7);
        let first = encoded.targets().next();
        assert_eq!(first, Some((9, u32::from('y'))));
    }

    #[test]
    fn what_is_cut_off_is_not_learned() {
        let mut encoded = encode(&turns(&["hi", "yes"]), &Letters).expect("it is regular");
        encoded.truncate(11);
        assert_eq!(encoded.n_targets(), 1);
        encoded.truncate(9);
        assert_eq!(encoded.n_targets(), 0);
    }

    /// A template that takes back what it wrote.
    struct Counting;

    impl Dialogue for Counting {
        fn render(&self, turns: &[Turn], _open: bool) -> Result<String, Error> {
            Ok(format!("{}", turns.len()))
        }

        fn tokens(&self, _text: &str) -> Result<Vec<u32>, Error> {
            Ok(vec![0])
        }
    }

    #[test]
    fn a_template_that_rewrites_its_prompt_is_refused() {
        let refused = encode(&turns(&["hi", "yes"]), &Counting);
        assert!(matches!(refused, Err(Error::Training(TrainingError::Template { turn: 1 }))));
    }
}
