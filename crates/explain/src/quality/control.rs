//! Controls: whether explanations are about their pictures.

use std::fmt;

use cifake::text::counted;
use cifake_eval::metrics::{Bootstrap, Metric};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::mean::means;
use crate::Error;

/// Scores of explanations beside those of a control: explanations of another picture, or of a blank
/// one.
///
/// A wrong picture of another class is an easy control: a text that only knows the class passes it.
/// For a harder one, draw [`wrong_pictures`] within each class.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Number of pictures.
    pub n: usize,
    /// Mean score of the pictures' own explanations.
    pub matched: Metric,
    /// Mean score of the control.
    pub control: Metric,
    /// Mean difference of the two scores of each picture.
    pub difference: Metric,
}

impl Control {
    /// Compares two scores for each picture by a paired bootstrap. Higher scores are better.
    ///
    /// # Errors
    ///
    /// [`Error::ControlScores`] unless each picture has one finite score of each kind, and there is a
    /// picture.
    pub fn new(matched: &[f64], control: &[f64], bootstrap: &Bootstrap) -> Result<Self, Error> {
        let n = matched.len();
        let refused = Error::ControlScores { n_matched: n, n_control: control.len() };
        if n != control.len() || matched.iter().chain(control).any(|score| !score.is_finite()) {
            return Err(refused);
        }
        let row = |(own, other): (&f64, &f64)| [Some(*own), Some(*other), Some(own - other)];
        let rows: Vec<_> = matched.iter().zip(control).map(row).collect();
        let [Some(matched), Some(control), Some(difference)] = means(&rows, bootstrap) else {
            return Err(refused);
        };
        Ok(Self {
            n,
            matched: matched.metric,
            control: control.metric,
            difference: difference.metric,
        })
    }

    /// Whether the whole interval of the difference is above 0: the explanations then fit their
    /// pictures better than the control does.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.difference.low > 0.0
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |m: &Metric| format!("{:.3} [{:.3}, {:.3}]", m.value, m.low, m.high);
        let [matched, control] = [&self.matched, &self.control].map(show);
        let difference = show(&self.difference);
        let n = counted(self.n, "picture");
        write!(f, "{matched} against {control}, difference {difference}, {n}")
    }
}

/// For each of `n` pictures the index of another one. Each index occurs once: it is a random cycle
/// through all pictures (Sattolo 1986), so that no picture gets itself.
///
/// # Panics
///
/// If `n` is 1: there is no other picture.
#[must_use]
pub fn wrong_pictures(n: usize, seed: u64) -> Vec<usize> {
    assert_ne!(n, 1, "a wrong picture needs a second one");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut others: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        others.swap(last, rng.random_range(0..last));
    }
    others
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_difference_is_taken_picture_by_picture() {
        // Scores spread far wider than they differ: only pairs can tell that they differ.
        let matched: Vec<f64> = (0..60).map(|i| f64::from(i) / 60.0).collect();
        let control: Vec<f64> =
            (0..60).map(|i| f64::from(i) / 60.0 - 0.01 * f64::from(i % 3)).collect();
        let found = Control::new(&matched, &control, &Bootstrap::new(11)).expect("pairs");
        assert!((found.difference.value - 0.01).abs() < 1e-12, "{found}");
        // The standard error of the mean of 0, 0.01 and 0.02 over 60 pictures is 0.00105.
        let half = (found.difference.high - found.difference.low) / 2.0;
        assert!((half - 1.96 * 0.001_05).abs() < 3e-4, "{found}");
        assert!(found.is_passed() && found.matched.low < found.control.high, "{found}");
    }

    #[test]
    fn texts_that_fit_any_picture_fail() {
        let scores: Vec<f64> = (0..40).map(|i| f64::from(i % 7) / 7.0).collect();
        let same = Control::new(&scores, &scores, &Bootstrap::new(1)).expect("pairs");
        assert_eq!((same.difference.value, same.is_passed()), (0.0, false));
        let noise: Vec<f64> = (0..40).map(|i| f64::from((i * 3) % 7) / 7.0).collect();
        let found = Control::new(&scores, &noise, &Bootstrap::new(1)).expect("pairs");
        assert!(!found.is_passed(), "{found}");
    }

    #[test]
    fn scores_that_are_no_pairs_are_refused() {
        for (matched, control) in
            [(vec![], vec![]), (vec![1.0], vec![]), (vec![f64::NAN], vec![1.0])]
        {
            assert!(Control::new(&matched, &control, &Bootstrap::new(1)).is_err(), "{matched:?}");
        }
    }

    proptest! {
        #[test]
        fn no_picture_is_its_own_wrong_one(n in 2usize..200, seed: u64) {
            let others = wrong_pictures(n, seed);
            prop_assert!(others.iter().enumerate().all(|(own, other)| own != *other));
            let mut sorted = others;
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..n));
        }
    }
}
