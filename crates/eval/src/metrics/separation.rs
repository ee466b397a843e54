//! The separation of pictures that a detector knows from those that it does not know.

use cifake::{Error, Label};
use serde::{Deserialize, Serialize};

use super::auc;

/// Share of the known pictures that are accepted where the false positives are counted.
const ACCEPTED: f64 = 0.95;

/// The separation of known pictures from strange ones by a score that is higher for the stranger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Separation {
    /// The probability that a strange picture scores higher than a known one, equal scores counting half.
    pub auroc: f64,
    /// Share of the strange pictures that are accepted at the score that accepts 95 % of the known ones
    /// (FPR at 95 % TPR, known pictures being the positives).
    pub fpr_at_95_tpr: f64,
}

impl Separation {
    /// Of the scores of `known` and of `strange` pictures.
    ///
    /// # Errors
    ///
    /// [`Error::NoSamples`] where there is none of both, [`Error::OneLabel`] where one is empty;
    /// [`Error::ScoreNotFinite`].
    pub fn new(known: &[f32], strange: &[f32]) -> Result<Self, Error> {
        let scores = [known, strange].concat();
        let labels = [vec![Label::Real; known.len()], vec![Label::Fake; strange.len()]].concat();
        let auroc = auc(&scores, &labels)?;
        let mut known = known.to_vec();
        known.sort_by(f32::total_cmp);
        let limit =
            known[((ACCEPTED * known.len() as f64).ceil() as usize).clamp(1, known.len()) - 1];
        let accepted = strange.iter().filter(|score| **score <= limit).count();
        Ok(Self { auroc, fpr_at_95_tpr: accepted as f64 / strange.len() as f64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_a_count_by_hand() {
        // 95 % of 20 are 19, so that the limit is 18.
        let known: Vec<f32> = (0..20).map(|score| score as f32).collect();
        let found = Separation::new(&known, &[18.0, 18.5, 40.0, -1.0]).expect("scores of both");
        assert_eq!(found.fpr_at_95_tpr, 0.5);
        // Above 18.5, 19, 20 and 0 of 20 known ones.
        assert_eq!(found.auroc, (18.5 + 19.0 + 20.0 + 0.0) / 80.0);
    }

    #[test]
    fn nothing_to_compare_is_an_error() {
        assert!(matches!(Separation::new(&[], &[]), Err(Error::NoSamples)));
        assert!(matches!(Separation::new(&[1.0], &[]), Err(Error::OneLabel { .. })));
        assert!(matches!(Separation::new(&[f32::NAN], &[1.0]), Err(Error::ScoreNotFinite { .. })));
    }
}
