//! Answers that are a list of known names, each with a remark, valid whatever the model prefers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cifake::text::counted;

use super::constraint::{Constraint, Mask};
use super::grammar::{Grammar, Place, State};
use crate::chat::Vocabulary;
use crate::error::Error;

/// Tokens left from which on their number no longer matters inside a remark.
const MANY_TOKENS: usize = 3;

/// Lines of the form `Name: some words`, one an item: every name is one of a list and comes once.
///
/// A remark has at least one word and at most `max_words`; its words are parted by single spaces and
/// hold no control or invisible characters. The answer ends with an end token after a remark, in time
/// for the number of tokens that is left.
///
/// ```
/// use std::sync::Arc;
/// use vlm_lora::generate::{ListConstraint, Vocabulary};
///
/// let bytes = Vocabulary::new((0..=255).map(|byte| Some(vec![byte])).chain([None]));
/// let list = ListConstraint::new(&["Edge", "Colour"], Arc::new(bytes), &[256], 7, 50)?;
/// let items = list.parse("Edge: soft where the wing ends\nColour: too even");
/// assert_eq!(items.expect("it is valid")[1].0, "Colour");
/// assert!(list.parse("Edge: soft\nEdge: hard").is_none());
/// # Ok::<(), vlm_lora::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ListConstraint {
    rule: Arc<Rule>,
    state: State,
}

#[derive(Debug)]
struct Rule {
    grammar: Grammar,
    vocabulary: Arc<Vocabulary>,
    ends: Vec<u32>,
    /// Masks inside a remark, by everything that they depend on.
    remarks: Mutex<HashMap<Key, Mask>>,
}

/// Whether a space was last, words left, whether a line may follow, tokens left.
type Key = (bool, usize, bool, usize);

impl ListConstraint {
    /// Lists of at most `max_items` of `names` with remarks of at most `max_words` words, in tokens
    /// of `vocabulary`. Any of the tokens `ends` ends a list. Give all of a model's end tokens,
    /// since it was trained with one of them.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no name, a name is empty, doubled, holds a line break or is
    /// another name with a colon and more behind it, a limit is 0, no token of the vocabulary is an end,
    /// or none is a single byte of a name.
    pub fn new(
        names: &[&str],
        vocabulary: Arc<Vocabulary>,
        ends: &[u32],
        max_items: usize,
        max_words: usize,
    ) -> Result<Self, Error> {
        let wrong = |found: String, expected: &str| Error::Setting {
            setting: "names",
            found,
            expected: expected.to_owned(),
        };
        for (i, name) in names.iter().enumerate() {
            let behind =
                |other: &str| other.strip_prefix(name).unwrap_or_default().starts_with(": ");
            if name.is_empty() || name.contains('\n') || names[..i].contains(name) {
                return Err(wrong(format!("{name:?}"), "a name of one line that comes once"));
            }
            if let Some(other) = names.iter().find(|other| behind(other)) {
                return Err(wrong(
                    format!("{other:?}"),
                    "a name that could not be read as another",
                ));
            }
        }
        if names.is_empty() || max_items == 0 || max_words == 0 {
            let found = [(names.len(), "name"), (max_items, "item"), (max_words, "word")];
            let found = found.map(|(n, noun)| counted(n, noun)).join(", ");
            return Err(wrong(found, "one or more of each"));
        }
        let n_tokens = vocabulary.n_tokens();
        if !ends.iter().any(|end| (*end as usize) < n_tokens) {
            let found = format!("the ends {ends:?}");
            return Err(wrong(found, "a token of the vocabulary that ends an answer"));
        }
        // An answer that can be spelled byte by byte cannot run into a dead end.
        let bytes = names.iter().flat_map(|name| name.bytes()).chain(*b": .");
        if let Some(byte) = bytes.into_iter().find(|byte| !vocabulary.has_byte(*byte)) {
            let found = format!("names with the byte {byte:#04x}");
            return Err(wrong(found, "a vocabulary with a token of that byte alone"));
        }
        let grammar = Grammar::new(names, max_items, max_words);
        let state = grammar.start();
        let rule = Rule { grammar, vocabulary, ends: ends.to_vec(), remarks: Mutex::default() };
        Ok(Self { rule: Arc::new(rule), state })
    }

    /// The items of a valid answer: names and remarks. `None` where it is not valid, or breaks off.
    #[must_use]
    pub fn parse(&self, answer: &str) -> Option<Vec<(String, String)>> {
        let mut state = self.rule.grammar.start();
        for byte in answer.bytes() {
            state = self.rule.grammar.step(&state, byte)?;
        }
        let items = answer.lines().filter_map(|line| self.rule.grammar.item(line));
        let items = items.map(|(name, remark)| (name.to_owned(), remark.to_owned()));
        state.may_end().then(|| items.collect())
    }

    /// The tokens that take the answer from its state to one from which it can be ended in time. A
    /// token does not go beyond the end of a line.
    fn walk(&self, left: usize) -> Mask {
        let Rule { grammar, vocabulary, .. } = &*self.rule;
        let mut mask = Mask::none(vocabulary.n_tokens());
        let begun = !matches!(self.state.place(), Place::Name(_));
        let mut step = |state: &State, byte: u8| {
            let beyond = begun && matches!(state.place(), Place::Name(_));
            if beyond { None } else { grammar.step(state, byte) }
        };
        vocabulary.walk(self.state.clone(), &mut step, &mut |token, state| {
            if state.is_between_characters() && grammar.min_left(state) < left {
                mask.allow(token);
            }
        });
        mask
    }
}

impl Constraint for ListConstraint {
    fn mask(&mut self, left: usize) -> Mask {
        let Rule { grammar, vocabulary, ends, remarks } = &*self.rule;
        let Place::Remark { n_words, after_space, .. } = *self.state.place() else {
            return self.walk(left);
        };
        let words_left = (grammar.max_words() - n_words).min(vocabulary.longest());
        let another =
            grammar.next_line(&self.state).is_some_and(|next| grammar.min_left(&next) < left);
        let key = (after_space, words_left, another, left.min(MANY_TOKENS));
        let known = remarks.lock().ok().and_then(|masks| masks.get(&key).cloned());
        let mut mask = known.unwrap_or_else(|| {
            let mask = self.walk(left);
            if let Ok(mut masks) = remarks.lock() {
                masks.insert(key, mask.clone());
            }
            mask
        });
        if self.state.may_end() {
            ends.iter().for_each(|end| mask.allow(*end));
        }
        mask
    }

    fn advance(&mut self, token: u32) {
        let Rule { grammar, vocabulary, .. } = &*self.rule;
        for byte in vocabulary.bytes(token) {
            if let Some(next) = grammar.step(&self.state, *byte) {
                self.state = next;
            }
        }
    }

    fn fresh(&self) -> Box<dyn Constraint> {
        Box::new(Self { rule: Arc::clone(&self.rule), state: self.rule.grammar.start() })
    }

    fn min_tokens(&self) -> usize {
        self.rule.grammar.min_left(&self.rule.grammar.start())
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const NAMES: [&str; 4] = ["Edge", "Edge halo", "Colour", "Größe"];

    fn list(max_items: usize, max_words: usize) -> ListConstraint {
        let single = (0..=255).map(|byte| Some(vec![byte]));
        let long =
            [": ", "Edge", " a", "a b c", ".\n", "\n\n", " ", "  ", "lo: Th", "ß", "\u{200b}"];
        let long = long.map(|text| Some(text.as_bytes().to_vec()));
        let vocabulary = Vocabulary::new(single.chain(long).chain([None]));
        let end = vocabulary.n_tokens() as u32 - 1;
        ListConstraint::new(&NAMES, Arc::new(vocabulary), &[end], max_items, max_words)
            .expect("the names are fine")
    }

    /// An answer of random tokens among those that the mask allows.
    fn random(list: &ListConstraint, max_tokens: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let (mut one, mut answer) = (list.fresh(), Vec::new());
        for left in (1..=max_tokens).rev() {
            let mask = one.mask(left);
            let allowed: Vec<u32> =
                (0..list.rule.ends[0] + 1).filter(|t| mask.allows(*t)).collect();
            assert!(!allowed.is_empty(), "{:?} is a dead end", String::from_utf8_lossy(&answer));
            // Line breaks and ends are rare among so many tokens.
            let rare = [u32::from(b'\n'), list.rule.ends[0]].into_iter().find(|t| mask.allows(*t));
            let token = match rare {
                Some(token) if rng.random_range(0..8) == 0 => token,
                _ => allowed[rng.random_range(0..allowed.len())],
            };
            one.advance(token);
            if token == list.rule.ends[0] {
                return answer;
            }
            answer.extend(list.rule.vocabulary.bytes(token));
        }
        panic!("{:?} was not ended", String::from_utf8_lossy(&answer));
    }

    #[test]
    fn random_answers_are_valid_and_end_in_time() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut most = 0;
        for (max_items, max_words) in [(7, 50), (2, 3), (1, 1)] {
            let list = list(max_items, max_words);
            for max_tokens in [list.min_tokens(), 20, 60, 200] {
                for _ in 0..50 {
                    let answer = random(&list, max_tokens, &mut rng);
                    let answer = String::from_utf8(answer).expect("whole characters");
                    let items = list.parse(&answer).unwrap_or_else(|| panic!("{answer:?}"));
                    assert!((1..=max_items).contains(&items.len()), "{answer:?}");
                    most = most.max(items.len());
                    for (i, (name, remark)) in items.iter().enumerate() {
                        assert!(NAMES.contains(&name.as_str()), "{answer:?}");
                        assert!(items[..i].iter().all(|(other, _)| other != name), "{answer:?}");
                        let n_words = remark.split_whitespace().count();
                        assert!((1..=max_words).contains(&n_words), "{answer:?}");
                        assert!(!remark.chars().any(char::is_control), "{answer:?}");
                    }
                }
            }
        }
        assert_eq!(most, NAMES.len());
    }

    #[test]
    fn any_end_ends_and_none_before_a_remark() {
        let bytes = Vocabulary::new((0..=255).map(|byte| Some(vec![byte])).chain([None, None]));
        let list = ListConstraint::new(&NAMES, Arc::new(bytes), &[256, 257], 7, 50);
        let mut one = list.expect("the names are fine").fresh();
        let may_end = |one: &mut Box<dyn Constraint>| {
            let mask = one.mask(100);
            [256, 257].map(|end| mask.allows(end))
        };
        assert_eq!(may_end(&mut one), [false, false]);
        "Edge: a".bytes().for_each(|byte| one.advance(byte.into()));
        assert_eq!(may_end(&mut one), [true, true]);
    }

    #[test]
    fn answers_that_break_a_rule_are_not_parsed() {
        let list = list(2, 3);
        let valid = ["Edge: a", "Edge halo: a b c\nColour: d", "Größe: zu groß."];
        for answer in valid {
            assert!(list.parse(answer).is_some(), "{answer}");
        }
        for answer in [
            "",
            "Edge",
            "Edge:",
            "Edge: ",
            "Edge: a ",
            "Edge: a\n",
            "edge: a",
            "Edge:a",
            "Edge:  a",
            "Edge: a  b",
            "Edge: a b c d",
            "Edge: a\nEdge: b",
            "Edge: a\nColour: b\nGröße: c",
            "Shape: a",
            "Edge: a\u{200b}b",
            "Edge: a\tb",
            "Edge: a\u{7}",
            " Edge: a",
        ] {
            assert!(list.parse(answer).is_none(), "{answer:?}");
        }
    }

    #[test]
    fn names_that_cannot_be_told_or_spelled_are_refused() {
        let bytes = |n: u8| Arc::new(Vocabulary::new((0..n).map(|byte| Some(vec![byte]))));
        for names in [&[][..], &[""], &["a", "a: b"], &["a\nb"], &["a", "a"], &["é"]] {
            assert!(ListConstraint::new(names, bytes(128), &[0], 7, 50).is_err(), "{names:?}");
        }
        assert!(ListConstraint::new(&["a"], bytes(128), &[0], 0, 50).is_err());
        for ends in [&[][..], &[128]] {
            assert!(ListConstraint::new(&["a"], bytes(128), ends, 7, 50).is_err(), "{ends:?}");
        }
        assert!(ListConstraint::new(&["a"], bytes(128), &[128, 0], 7, 50).is_ok());
    }
}
