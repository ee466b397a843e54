//! ROUGE-L (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries"): the longest common
//! subsequence of words.

use serde::{Deserialize, Serialize};

/// Overlap of two texts, 0 to 1. All three values are 0 if either text has no word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RougeL {
    /// Share of the candidate's words that are in the common subsequence.
    pub precision: f64,
    /// Share of the reference's words that are in the common subsequence.
    pub recall: f64,
    /// Harmonic mean of both, as in Google's `rouge_score`.
    pub f: f64,
}

/// ROUGE-L of `candidate` against `reference`.
///
/// Words are runs of letters and digits in lower case, without stemming. Unlike in `rouge_score`,
/// letters beyond a-z count, too.
#[must_use]
pub fn rouge_l(candidate: &str, reference: &str) -> RougeL {
    let [candidate, reference] = [candidate, reference].map(words);
    let n_common = common(&candidate, &reference) as f64;
    if n_common == 0.0 {
        return RougeL { precision: 0.0, recall: 0.0, f: 0.0 };
    }
    let [n_candidate, n_reference] = [candidate.len(), reference.len()].map(|n| n as f64);
    RougeL {
        precision: n_common / n_candidate,
        recall: n_common / n_reference,
        f: 2.0 * n_common / (n_candidate + n_reference),
    }
}

fn words(text: &str) -> Vec<String> {
    let runs = text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty());
    runs.map(str::to_lowercase).collect()
}

/// Length of the longest common subsequence.
fn common(a: &[String], b: &[String]) -> usize {
    let mut lengths = vec![0; b.len() + 1];
    for word in a {
        let mut diagonal = 0;
        for (at, other) in b.iter().enumerate() {
            let above = lengths[at + 1];
            lengths[at + 1] = if word == other { diagonal + 1 } else { above.max(lengths[at]) };
            diagonal = above;
        }
    }
    lengths[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOLERANCE: f64 = 1e-12;

    #[test]
    fn the_examples_of_the_paper_score_as_printed() {
        // Lin 2004, section 3.1: S2 3/4, S3 2/4, S4 2/4 against S1.
        let reference = "police killed the gunman";
        for (candidate, expected) in [
            ("police kill the gunman", 0.75),
            ("the gunman kill police", 0.5),
            ("the gunman police killed", 0.5),
        ] {
            assert!((rouge_l(candidate, reference).f - expected).abs() < TOLERANCE, "{candidate}");
        }
    }

    #[test]
    fn shares_are_those_counted_by_hand() {
        // "fur is smooth" of five and of four words.
        let found = rouge_l("The fur is too smooth.", "FUR is very-smooth");
        assert!((found.precision - 0.6).abs() < TOLERANCE, "{found:?}");
        assert!((found.recall - 0.75).abs() < TOLERANCE, "{found:?}");
        assert!((found.f - 2.0 / 3.0).abs() < TOLERANCE, "{found:?}");
        assert_eq!(rouge_l("", "").f, 0.0);
        assert_eq!(rouge_l("...", "a").f, 0.0);
        assert_eq!(rouge_l("a b", "b a").f, 0.5);
    }

    proptest! {
        #[test]
        fn exchanging_the_texts_exchanges_precision_and_recall(
            a in "[a-c ]{0,24}",
            b in "[a-c ]{0,24}",
        ) {
            let (one, other) = (rouge_l(&a, &b), rouge_l(&b, &a));
            prop_assert_eq!((one.precision, one.recall), (other.recall, other.precision));
            prop_assert_eq!(one.f, other.f);
            prop_assert!(rouge_l(&a, &a).f == 1.0 || a.trim().is_empty());
        }
    }
}
