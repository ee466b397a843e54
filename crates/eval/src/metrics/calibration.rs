//! Whether a probability means what it says.

use std::ops::RangeInclusive;

use cifake::{CalibrationError, Error, Label};
use serde::{Deserialize, Serialize};

use super::{check, check_both_labels};

/// Number of equal-width bins of a reliability diagram and of the calibration error.
pub const N_BINS: usize = 15;

/// The answers whose confidence lies in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower end, not in the bin.
    pub low: f64,
    /// Upper end, in the bin.
    pub high: f64,
    /// Number of answers.
    pub n: usize,
    /// Their mean confidence; 0 without answers.
    pub confidence: f64,
    /// The share of them that is right; 0 without answers.
    pub accuracy: f64,
}

/// One answer as calibration sees it: the more probable label, how probable it was called, whether
/// it is the right one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// Probability of the label that was called more probable, in `[0.5, 1]`.
    pub(super) confidence: f64,
    /// Whether that label is the right one.
    pub(super) right: bool,
    /// Index of the bin of `confidence`.
    pub(super) bin: usize,
    /// Square of the distance between the probability of FAKE and the truth.
    pub(super) squared_error: f64,
}

impl Answer {
    /// `p_fake` is a probability of FAKE in `[0, 1]`.
    pub(super) fn new(p_fake: f32, label: Label) -> Self {
        let p_fake = f64::from(p_fake);
        let called = if p_fake >= 0.5 { Label::Fake } else { Label::Real };
        let confidence = p_fake.max(1.0 - p_fake);
        let bin = (confidence * N_BINS as f64).ceil() as usize;
        Self {
            confidence,
            right: called == label,
            bin: bin.clamp(1, N_BINS) - 1,
            squared_error: (p_fake - label.index() as f64).powi(2),
        }
    }
}

/// Position of the first score that is no probability.
pub(super) fn first_improbable(scores: &[f32]) -> Option<usize> {
    scores.iter().position(|score| !(0.0..=1.0).contains(score))
}

/// The answers, in order.
fn answers(scores: &[f32], labels: &[Label]) -> Result<Vec<Answer>, Error> {
    check(scores, labels)?;
    if let Some(index) = first_improbable(scores) {
        return Err(Error::ScoreNotProbability { index, score: scores[index] });
    }
    Ok(scores.iter().zip(labels).map(|(score, label)| Answer::new(*score, *label)).collect())
}

/// The [`N_BINS`] bins of a reliability diagram, over the confidence in the more probable label.
///
/// `scores` are probabilities of FAKE. The bins share `[0, 1]`, as usual for any number of classes;
/// with two labels the confidence is at least 0.5, so the lower seven stay empty.
///
/// # Errors
/// [`Error::NoSamples`], [`Error::LengthMismatch`], [`Error::ScoreNotFinite`],
/// [`Error::ScoreNotProbability`].
pub fn reliability(scores: &[f32], labels: &[Label]) -> Result<Vec<ReliabilityBin>, Error> {
    let answers = answers(scores, labels)?;
    let bin = |index: usize| {
        let members = || answers.iter().filter(|answer| answer.bin == index);
        let n = members().count();
        let mean = |sum: f64| if n == 0 { 0.0 } else { sum / n as f64 };
        ReliabilityBin {
            low: index as f64 / N_BINS as f64,
            high: (index + 1) as f64 / N_BINS as f64,
            n,
            confidence: mean(members().map(|answer| answer.confidence).sum()),
            accuracy: mean(members().filter(|answer| answer.right).count() as f64),
        }
    };
    Ok((0..N_BINS).map(bin).collect())
}

/// Expected calibration error (Guo et al. 2017, arXiv 1706.04599): the mean over the answers of the
/// distance between confidence and accuracy in their bin of [`reliability`]. The called label is the
/// more probable one, whatever the threshold in use.
///
/// # Errors
/// Those of [`reliability`].
pub fn expected_calibration_error(scores: &[f32], labels: &[Label]) -> Result<f64, Error> {
    let bins = reliability(scores, labels)?;
    let gap = |bin: &ReliabilityBin| bin.n as f64 * (bin.accuracy - bin.confidence).abs();
    Ok(bins.iter().map(gap).sum::<f64>() / scores.len() as f64)
}

/// Brier score: the mean squared distance between the probability of FAKE and the truth.
///
/// # Errors
/// Those of [`reliability`].
pub fn brier(scores: &[f32], labels: &[Label]) -> Result<f64, Error> {
    let answers = answers(scores, labels)?;
    let sum: f64 = answers.iter().map(|answer| answer.squared_error).sum();
    Ok(sum / answers.len() as f64)
}

/// Slopes, which are inverse temperatures, among which [`fit_platt`] looks.
const SLOPES: [f64; 2] = [0.01, 100.0];

/// Least number of samples of each label for [`calibration`]: ten for each of its two numbers, as is usual for a
/// logistic regression (Peduzzi et al. 1996, doi 10.1016/S0895-4356(96)00236-3).
pub const MIN_CALIBRATION: usize = 20;
/// Temperatures that [`calibration`] may give.
pub const TEMPERATURES: RangeInclusive<f64> = 0.0125..=80.0;
/// Biases that [`calibration`] may give.
pub const BIASES: RangeInclusive<f64> = -20.0..=20.0;

/// [`fit_platt`] of samples that can bear it: temperature, in [`TEMPERATURES`], and bias, in [`BIASES`].
///
/// # Errors
/// Those of [`fit_platt`]; [`CalibrationError::TooFew`] for fewer than [`MIN_CALIBRATION`] samples of a label;
/// [`CalibrationError::OutOfRange`] where the fit leaves the ranges.
pub fn calibration(margins: &[f32], labels: &[Label]) -> Result<[f64; 2], Error> {
    must_suffice(labels)?;
    let [temperature, bias] = fit_platt(margins, labels)?;
    match TEMPERATURES.contains(&temperature) && BIASES.contains(&bias) {
        true => Ok([temperature, bias]),
        false => Err(CalibrationError::OutOfRange { temperature, bias }.into()),
    }
}

/// There must be [`MIN_CALIBRATION`] of both labels.
pub(crate) fn must_suffice(labels: &[Label]) -> Result<(), Error> {
    let needed = MIN_CALIBRATION;
    for label in Label::ALL {
        let found = labels.iter().filter(|&&other| other == label).count();
        if found < needed {
            return Err(CalibrationError::TooFew { label, found, needed }.into());
        }
    }
    Ok(())
}

/// Temperature `t` and bias `b` for which `sigmoid(margin / t + b)` explains the labels best (least
/// negative log-likelihood; Platt 1999), by Newton's method. To be fitted on validation data.
///
/// `margins` are the logit of FAKE minus the logit of REAL, or the one logit of a one-logit head. The
/// temperature lies in `[0.01, 100]`: it is 100 where labels do not follow the margins. If the margins tell the
/// labels apart without a mistake, no temperature is the best one. The targets are then Platt's,
/// `(n + 1) / (n + 2)` for `n` samples of a label.
///
/// # Errors
/// [`Error::NoSamples`], [`Error::LengthMismatch`], [`Error::ScoreNotFinite`], [`Error::OneLabel`].
pub fn fit_platt(margins: &[f32], labels: &[Label]) -> Result<[f64; 2], Error> {
    /// Steps at most; about ten are needed.
    const STEPS: usize = 100;
    check_both_labels(margins, labels)?;
    let targets = targets(margins, labels);
    let loss = |[slope, bias]: [f64; 2]| -> f64 {
        let one = |(margin, target): (&f32, &f64)| {
            let z = slope * f64::from(*margin) + bias;
            z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
        };
        margins.iter().zip(&targets).map(one).sum()
    };
    let mut at = [1.0, 0.0];
    for _ in 0..STEPS {
        let step = newton_step(margins, &targets, at);
        let next = |scale: f64| {
            [(at[0] - scale * step[0]).clamp(SLOPES[0], SLOPES[1]), at[1] - scale * step[1]]
        };
        let (before, mut scale) = (loss(at), 1.0);
        while scale > 1e-6 && loss(next(scale)) > before {
            scale /= 2.0;
        }
        let to = next(scale);
        let moved = (to[0] - at[0]).abs() + (to[1] - at[1]).abs();
        if loss(to) > before || moved < 1e-9 {
            break;
        }
        at = to;
    }
    Ok([at[0].recip(), at[1]])
}

/// The probability of FAKE that a fit aims at, sample by sample: the label, or Platt's target where the margins make
/// no mistake.
fn targets(margins: &[f32], labels: &[Label]) -> Vec<f64> {
    let of = |label: Label| margins.iter().zip(labels).filter(move |(_, of)| **of == label);
    let highest_real = of(Label::Real).map(|(margin, _)| *margin).fold(f32::MIN, f32::max);
    let has_mistakes = of(Label::Fake).any(|(margin, _)| *margin <= highest_real);
    let target = |label: &Label| match (has_mistakes, label) {
        (true, label) => label.index() as f64,
        (false, label) => {
            let n = of(*label).count() as f64;
            let sure = (n + 1.0) / (n + 2.0);
            if *label == Label::Fake { sure } else { 1.0 - sure }
        }
    };
    let both = Label::ALL.map(|label| target(&label));
    labels.iter().map(|label| both[label.index()]).collect()
}

/// Inverse Hessian times gradient of the loss of [`fit_platt`], in slope and bias.
fn newton_step(margins: &[f32], targets: &[f64], [slope, bias]: [f64; 2]) -> [f64; 2] {
    let (mut gradient, mut hessian) = ([0.0f64; 2], [1e-9f64, 0.0, 1e-9]);
    for (margin, target) in margins.iter().zip(targets) {
        let margin = f64::from(*margin);
        let p = 1.0 / (1.0 + (-(slope * margin + bias)).exp());
        let (error, weight) = (p - target, p * (1.0 - p));
        gradient[0] += error * margin;
        gradient[1] += error;
        hessian[0] += weight * margin * margin;
        hessian[1] += weight * margin;
        hessian[2] += weight;
    }
    // If the slope rests at its limit, the bias moves alone.
    let is_at_an_end =
        (slope <= SLOPES[0] && gradient[0] > 0.0) || (slope >= SLOPES[1] && gradient[0] < 0.0);
    if is_at_an_end {
        return [0.0, gradient[1] / hessian[2]];
    }
    let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
    [
        (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
        (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant,
    ]
}

#[cfg(test)]
mod tests {
    use cifake::Label::{Fake, Real};
    use proptest::prelude::*;

    use super::*;

    /// Confidences 0.9, 0.78, 0.78, 0.6; all right but the last. They fall in bins 13, 11, 11 and 8.
    const SCORES: [f32; 4] = [0.9, 0.22, 0.78, 0.4];
    const LABELS: [Label; 4] = [Fake, Real, Fake, Fake];

    #[test]
    fn ece_is_the_weighted_gap_of_the_bins() {
        // (|1 - 0.9| + 2 |1 - 0.78| + |0 - 0.6|) / 4
        let found = expected_calibration_error(&SCORES, &LABELS).expect("probabilities");
        assert!((found - 0.285).abs() < 1e-7, "{found}");
    }

    #[test]
    fn answers_fall_in_the_bin_of_their_confidence() {
        let bins = reliability(&SCORES, &LABELS).expect("probabilities");
        assert_eq!(bins.len(), N_BINS);
        let counts: Vec<usize> = bins.iter().map(|bin| bin.n).collect();
        assert_eq!(counts, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 0]);
        assert!((bins[11].confidence - 0.78).abs() < 1e-7);
        assert_eq!((bins[11].accuracy, bins[8].accuracy), (1.0, 0.0));
        let sure = reliability(&[1.0, 0.0], &[Fake, Fake]).expect("probabilities");
        assert_eq!((sure[14].n, sure[14].accuracy), (2, 0.5));
    }

    #[test]
    fn brier_is_the_mean_squared_error() {
        // (0.01 + 0.0484 + 0.0484 + 0.36) / 4
        let found = brier(&SCORES, &LABELS).expect("probabilities");
        assert!((found - 0.1167).abs() < 1e-7, "{found}");
    }

    #[test]
    fn a_logit_is_no_probability() {
        assert!(matches!(
            brier(&[0.5, 1.5], &[Real, Fake]),
            Err(Error::ScoreNotProbability { index: 1, .. })
        ));
    }

    #[test]
    fn a_calibration_is_the_one_that_made_the_labels() {
        // Labels of sigmoid(margin / 4 - 1), spread evenly.
        let (mut margins, mut labels) = (Vec::new(), Vec::new());
        for step in -40..=40 {
            let margin = step as f32 / 2.0;
            let p = 1.0 / (1.0 + (-(margin / 4.0 - 1.0)).exp());
            for place in 0..1000 {
                margins.push(margin);
                labels.push(if (place as f32 + 0.5) / 1000.0 < p { Fake } else { Real });
            }
        }
        let [temperature, bias] = fit_platt(&margins, &labels).expect("both labels");
        assert!((temperature - 4.0).abs() < 0.02, "{temperature}");
        assert!((bias + 1.0).abs() < 0.01, "{bias}");
        // Reversed, nothing can be concluded but the base rate.
        let reversed: Vec<f32> = margins.iter().map(|margin| -margin).collect();
        let [temperature, bias] = fit_platt(&reversed, &labels).expect("both labels");
        assert!((temperature - 100.0).abs() < 1e-9, "{temperature}");
        assert!(bias < 0.0, "{bias}");
        assert!(fit_platt(&margins, &vec![Real; margins.len()]).is_err());
    }

    #[test]
    fn margins_without_a_mistake_aim_at_platts_targets() {
        let [temperature, bias] = fit_platt(&[3.0, -3.0], &[Fake, Real]).expect("both labels");
        // One of each label: the aim is 2 / 3, whose logit is ln 2.
        assert!((temperature - 3.0 / 2.0_f64.ln()).abs() < 1e-6, "{temperature}");
        assert!(bias.abs() < 1e-9, "{bias}");
    }

    /// `n` margins of each label around `apart` and `-apart`, a tenth of them beyond the other's.
    fn samples(n: usize, apart: f32) -> (Vec<f32>, Vec<Label>) {
        let of = |label: Label, sign: f32| {
            (0..n).map(move |i| {
                let side = if i % 10 == 0 { -sign } else { sign };
                (side * apart * (1.0 + i as f32 / n as f32), label)
            })
        };
        of(Fake, 1.0).chain(of(Real, -1.0)).unzip()
    }

    #[test]
    fn a_calibration_needs_enough_of_both_labels_and_keeps_within_its_ranges() {
        let (margins, labels) = samples(MIN_CALIBRATION, 3.0);
        let [temperature, _] = calibration(&margins, &labels).expect("there are just enough");
        assert!(TEMPERATURES.contains(&temperature), "{temperature}");
        let few = calibration(&margins[1..], &labels[1..]);
        let is_few = matches!(
            few,
            Err(Error::Calibration(CalibrationError::TooFew {
                label: Fake,
                found: 19,
                needed: MIN_CALIBRATION
            }))
        );
        assert!(is_few, "{few:?}");
        let reversed: Vec<f32> = margins.iter().map(|margin| -margin).collect();
        let refused = calibration(&reversed, &labels);
        assert!(
            matches!(refused, Err(Error::Calibration(CalibrationError::OutOfRange { .. }))),
            "{refused:?}"
        );
    }

    proptest! {
        #[test]
        fn scaling_the_margins_scales_the_temperature(
            margins in proptest::collection::vec(0.1_f32..3.0, 8),
            scale in 0.5_f32..2.0,
        ) {
            // Every margin with either label, so that no temperature is at an end.
            let both: Vec<f32> = margins.iter().flat_map(|m| [*m, *m, *m, -m, -m, -m]).collect();
            let labels = [Fake, Fake, Real, Real, Real, Fake];
            let labels: Vec<Label> = (0..both.len()).map(|i| labels[i % 6]).collect();
            let scaled: Vec<f32> = both.iter().map(|margin| margin * scale).collect();
            let [before, bias] = fit_platt(&both, &labels).expect("both labels");
            let [after, _] = fit_platt(&scaled, &labels).expect("both labels");
            prop_assert!((after / before - f64::from(scale)).abs() < 1e-4);
            prop_assert!(bias.abs() < 1e-6, "the samples are symmetric: {}", bias);
        }

        #[test]
        fn mirrored_samples_have_the_same_calibration(
            samples in proptest::collection::vec((0.0_f32..0.499, any::<bool>()), 1..40),
        ) {
            let label = |fake: bool| if fake { Fake } else { Real };
            let (scores, labels): (Vec<f32>, Vec<Label>) =
                samples.iter().map(|(score, fake)| (*score, label(*fake))).unzip();
            let (mirrored, opposite): (Vec<f32>, Vec<Label>) =
                samples.iter().map(|(score, fake)| (1.0 - score, label(!fake))).unzip();
            let before = brier(&scores, &labels).expect("probabilities");
            prop_assert!((before - brier(&mirrored, &opposite).expect("same")).abs() < 1e-6);
        }
    }
}
