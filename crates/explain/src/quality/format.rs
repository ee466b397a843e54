//! The required form of an answer.

use serde::{Deserialize, Serialize};

use crate::{Artifact, MAX_FINDINGS, MAX_WORDS};

/// Fewest artifacts of a FAKE picture in the form of the contest.
pub const MIN_ITEMS: usize = 6;

/// A fault in the form of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FormatFault {
    /// The number of items is neither 6 nor 7; this is the number.
    Count(usize),
    /// The text of this item has more than 50 words.
    TooLong {
        /// Name of the item.
        name: String,
        /// Words of its text.
        n_words: usize,
    },
    /// The text of this item is empty.
    Empty(String),
    /// This name is not in the list.
    NotListed(String),
    /// This artifact is named again, perhaps in another spelling.
    Repeated(String),
}

/// The faults in the form of an answer about a FAKE picture, given as (name, text) of each item.
///
/// An answer has 6 or 7 items. Each names another artifact of the list and has a text of 1 to 50
/// words, separated by white space.
#[must_use]
pub fn format_faults<'a>(items: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<FormatFault> {
    let (mut faults, mut seen, mut n_items) = (Vec::new(), Vec::new(), 0);
    for (name, text) in items {
        n_items += 1;
        match name.parse::<Artifact>() {
            Err(_) => faults.push(FormatFault::NotListed(name.to_owned())),
            Ok(artifact) if seen.contains(&artifact) => {
                faults.push(FormatFault::Repeated(name.to_owned()));
            }
            Ok(artifact) => seen.push(artifact),
        }
        match text.split_whitespace().count() {
            0 => faults.push(FormatFault::Empty(name.to_owned())),
            1..=MAX_WORDS => {}
            n_words => faults.push(FormatFault::TooLong { name: name.to_owned(), n_words }),
        }
    }
    if !(MIN_ITEMS..=MAX_FINDINGS).contains(&n_items) {
        faults.push(FormatFault::Count(n_items));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first `n` artifacts of the list with a text of `n_words`.
    fn answer(n: usize, n_words: usize) -> Vec<(&'static str, String)> {
        Artifact::all().take(n).map(|a| (a.name(), "word ".repeat(n_words))).collect()
    }

    fn faults(answer: &[(&str, String)]) -> Vec<FormatFault> {
        format_faults(answer.iter().map(|(name, text)| (*name, text.as_str())))
    }

    #[test]
    fn six_or_seven_items_of_fifty_words_are_valid() {
        assert_eq!(faults(&answer(6, 50)), []);
        assert_eq!(faults(&answer(7, 1)), []);
        assert_eq!(faults(&answer(5, 1)), [FormatFault::Count(5)]);
        assert_eq!(faults(&answer(8, 1)), [FormatFault::Count(8)]);
        assert_eq!(faults(&[]), [FormatFault::Count(0)]);
    }

    #[test]
    fn each_fault_is_named() {
        let mut items = answer(6, 3);
        items[1].1 = "word ".repeat(51);
        items[2].0 = "Bad vibes";
        items[3].0 = "inconsistent OBJECT boundaries";
        items[4].1 = " \n".to_owned();
        let [_, second, third, fourth, fifth, _] =
            [0, 1, 2, 3, 4, 5].map(|at| items[at].0.to_owned());
        assert_eq!(
            faults(&items),
            [
                FormatFault::TooLong { name: second, n_words: 51 },
                FormatFault::NotListed(third),
                FormatFault::Repeated(fourth),
                FormatFault::Empty(fifth),
            ]
        );
    }
}
