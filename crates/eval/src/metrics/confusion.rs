//! Counts of right and wrong answers.

use cifake::{Error, Label};
use serde::{Deserialize, Serialize};

use super::check;

/// Counts of samples by label and by verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confusion {
    /// REAL samples that were called REAL.
    pub real_as_real: usize,
    /// REAL samples that were called FAKE: false alarms.
    pub real_as_fake: usize,
    /// FAKE samples that were called REAL: misses.
    pub fake_as_real: usize,
    /// FAKE samples that were called FAKE.
    pub fake_as_fake: usize,
}

impl Confusion {
    /// Counts the answers that `threshold` gives.
    ///
    /// # Errors
    /// [`Error::NoSamples`], [`Error::LengthMismatch`], [`Error::ScoreNotFinite`].
    pub fn new(scores: &[f32], labels: &[Label], threshold: f64) -> Result<Self, Error> {
        check(scores, labels)?;
        let mut counts = Self::default();
        for (score, label) in scores.iter().zip(labels) {
            let called_fake = f64::from(*score) >= threshold;
            *match (label, called_fake) {
                (Label::Real, false) => &mut counts.real_as_real,
                (Label::Real, true) => &mut counts.real_as_fake,
                (Label::Fake, false) => &mut counts.fake_as_real,
                (Label::Fake, true) => &mut counts.fake_as_fake,
            } += 1;
        }
        Ok(counts)
    }

    /// Number of samples labelled `label`.
    #[must_use]
    pub fn n(&self, label: Label) -> usize {
        match label {
            Label::Real => self.real_as_real + self.real_as_fake,
            Label::Fake => self.fake_as_real + self.fake_as_fake,
        }
    }

    /// Number of samples labelled `label` that were called so.
    #[must_use]
    pub fn n_right(&self, label: Label) -> usize {
        match label {
            Label::Real => self.real_as_real,
            Label::Fake => self.fake_as_fake,
        }
    }
}

/// Share of the samples that are called what they are.
///
/// # Errors
/// [`Error::NoSamples`], [`Error::LengthMismatch`], [`Error::ScoreNotFinite`].
pub fn accuracy(scores: &[f32], labels: &[Label], threshold: f64) -> Result<f64, Error> {
    let counts = Confusion::new(scores, labels, threshold)?;
    let right = counts.real_as_real + counts.fake_as_fake;
    Ok(right as f64 / scores.len() as f64)
}

/// Share of the samples labelled `label` that are called so.
///
/// # Errors
/// Those of [`accuracy`], and [`Error::OneLabel`] where no sample has the label.
pub fn label_accuracy(
    scores: &[f32],
    labels: &[Label],
    threshold: f64,
    label: Label,
) -> Result<f64, Error> {
    let counts = Confusion::new(scores, labels, threshold)?;
    match counts.n(label) {
        0 => Err(Error::OneLabel { missing: label }),
        n => Ok(counts.n_right(label) as f64 / n as f64),
    }
}

#[cfg(test)]
mod tests {
    use cifake::Label::{Fake, Real};

    use super::*;

    const SCORES: [f32; 5] = [0.2, 0.5, 0.9, 0.4, 0.5];
    const LABELS: [Label; 5] = [Real, Real, Fake, Fake, Fake];

    #[test]
    fn a_score_on_the_threshold_is_fake() {
        let counts = Confusion::new(&SCORES, &LABELS, 0.5).expect("valid input");
        let expected =
            Confusion { real_as_real: 1, real_as_fake: 1, fake_as_real: 1, fake_as_fake: 2 };
        assert_eq!(counts, expected);
    }

    #[test]
    fn accuracies_are_shares_of_their_samples() {
        assert_eq!(accuracy(&SCORES, &LABELS, 0.5).expect("valid input"), 0.6);
        assert_eq!(label_accuracy(&SCORES, &LABELS, 0.5, Real).expect("valid input"), 0.5);
        assert_eq!(label_accuracy(&SCORES, &LABELS, 0.5, Fake).expect("valid input"), 2.0 / 3.0);
    }

    #[test]
    fn unusable_inputs_are_typed_errors() {
        assert!(matches!(accuracy(&[], &[], 0.5), Err(Error::NoSamples)));
        assert!(matches!(
            accuracy(&[0.5], &[Real, Fake], 0.5),
            Err(Error::LengthMismatch { scores: 1, labels: 2 })
        ));
        assert!(matches!(
            accuracy(&[0.5, f32::NAN], &[Real, Fake], 0.5),
            Err(Error::ScoreNotFinite { index: 1, .. })
        ));
        assert!(matches!(
            label_accuracy(&[0.5], &[Real], 0.5, Fake),
            Err(Error::OneLabel { missing: Fake })
        ));
    }
}
