//! Where the answer is UNSURE, and how logits become probabilities.

use cifake::{DetectorError, Error, Label};

/// Steps of Newton's method, at most; it needs about ten.
const N_STEPS: usize = 100;
/// Smallest slope of a calibration, which is a temperature of 100.
const LEAST_SLOPE: f64 = 0.01;

/// The narrowest band of probabilities, symmetric around a logit of 0, outside of which the share `right` of
/// the pictures is right; from 0 to 1 where there is none.
pub(super) fn symmetric(logits: &[f32], labels: &[Label], right: f64) -> [f32; 2] {
    let mut answers: Vec<(f64, bool)> = logits
        .iter()
        .zip(labels)
        .map(|(z, label)| (f64::from(z.abs()), (*z >= 0.0) == (*label == Label::Fake)))
        .collect();
    answers.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (mut n_right, mut half_width) = (0, f64::INFINITY);
    for (place, (size, is_right)) in answers.iter().enumerate() {
        n_right += usize::from(*is_right);
        // The next one below; pictures of the same logit are answered together.
        let next = answers.get(place + 1).map_or(0.0, |(next, _)| *next);
        let is_last = place + 1 == answers.len();
        if (next < *size || is_last) && n_right as f64 >= right * (place + 1) as f64 {
            half_width = if is_last { 0.0 } else { (size + next) / 2.0 };
        }
    }
    [-half_width, half_width].map(|z| (1.0 / (1.0 + (-z).exp())) as f32)
}

/// The ends `[low, high]` of a band: of the probabilities of `photographs` at most the share
/// `called_fake` is at least `high`, of those of `generated` at most `called_real` is at most `low`. They may
/// cross.
pub(super) fn by_errors(
    mut photographs: Vec<f32>,
    mut generated: Vec<f32>,
    called_fake: f64,
    called_real: f64,
) -> Result<[f32; 2], Error> {
    if photographs.is_empty() || generated.is_empty() {
        return Err(DetectorError::TooFewPictures { found: 0, needed: 1 }.into());
    }
    photographs.sort_by(|a, b| b.total_cmp(a));
    generated.sort_by(f32::total_cmp);
    let first_refused = |n: usize, share: f64| ((share * n as f64).floor() as usize).min(n - 1);
    let most = photographs[first_refused(photographs.len(), called_fake)];
    let least = generated[first_refused(generated.len(), called_real)];
    if most >= 1.0 || least <= 0.0 {
        return Err(DetectorError::SaturatedProbabilities.into());
    }
    Ok([least.next_down(), most.next_up()])
}

/// Temperature and bias with which `sigmoid(margin / temperature + bias)` makes the labels most likely (Platt
/// 1999), by Newton's method. A slope that would fall with the margin, or hardly rise, becomes a temperature
/// of 100.
pub(super) fn platt(margins: &[f32], labels: &[Label]) -> Result<[f32; 2], Error> {
    if let Some(missing) = Label::ALL.into_iter().find(|label| !labels.contains(label)) {
        return Err(Error::OneLabel { missing });
    }
    let loss = |slope: f64, bias: f64| -> f64 {
        let one = |(margin, label): (&f32, &Label)| {
            let z = slope * f64::from(*margin) + bias;
            let z = if *label == Label::Fake { -z } else { z };
            z.max(0.0) + (-z.abs()).exp().ln_1p()
        };
        margins.iter().zip(labels).map(one).sum()
    };
    let (mut slope, mut bias) = (1.0f64, 0.0f64);
    for _ in 0..N_STEPS {
        let [step_slope, step_bias] = newton_step(margins, labels, slope, bias);
        let (before, mut scale) = (loss(slope, bias), 1.0);
        let next =
            |scale: f64| ((slope - scale * step_slope).max(LEAST_SLOPE), bias - scale * step_bias);
        while scale > 1e-6 && loss(next(scale).0, next(scale).1) > before {
            scale /= 2.0;
        }
        let (new_slope, new_bias) = next(scale);
        let moved = (new_slope - slope).abs() + (new_bias - bias).abs();
        if loss(new_slope, new_bias) > before || moved < 1e-9 {
            break;
        }
        (slope, bias) = (new_slope, new_bias);
    }
    Ok([slope.recip() as f32, bias as f32])
}

/// Inverse Hessian times gradient of the loss of [`platt`], in slope and bias.
fn newton_step(margins: &[f32], labels: &[Label], slope: f64, bias: f64) -> [f64; 2] {
    let (mut gradient, mut hessian) = ([0.0f64; 2], [1e-9f64, 0.0, 1e-9]);
    for (margin, label) in margins.iter().zip(labels) {
        let margin = f64::from(*margin);
        let p = 1.0 / (1.0 + (-(slope * margin + bias)).exp());
        let (error, weight) = (p - label.index() as f64, p * (1.0 - p));
        gradient[0] += error * margin;
        gradient[1] += error;
        hessian[0] += weight * margin * margin;
        hessian[1] += weight * margin;
        hessian[2] += weight;
    }
    // Where the slope rests at its limit, the bias moves alone.
    if slope <= LEAST_SLOPE && gradient[0] > 0.0 {
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
    use super::*;

    const REAL: Label = Label::Real;
    const FAKE: Label = Label::Fake;

    #[test]
    fn the_band_is_as_narrow_as_the_share_of_right_answers_allows() {
        // Wrong at 0.5 and -1.
        let logits = [4.0, -3.0, 2.0, -1.0, 0.5];
        let labels = [FAKE, REAL, FAKE, FAKE, REAL];
        let sigmoid = |z: f32| 1.0 / (1.0 + (-z).exp());
        let close = |found: [f32; 2], width: f32| {
            let expected = [sigmoid(-width), sigmoid(width)];
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(close(symmetric(&logits, &labels, 1.0), 1.5));
        // With that at -1, three of four are right.
        assert!(close(symmetric(&logits, &labels, 0.75), 0.75));
        assert!(close(symmetric(&logits, &labels, 0.6), 0.0));
        assert_eq!(symmetric(&[1.0, -1.0], &[REAL, FAKE], 0.5), [0.0, 1.0]);
    }

    #[test]
    fn pictures_of_the_same_logit_are_answered_together() {
        let found = symmetric(&[2.0, 2.0, 1.0], &[FAKE, REAL, FAKE], 0.9);
        assert_eq!(found, [0.0, 1.0]);
    }

    #[test]
    fn no_more_err_than_may() {
        let photographs: Vec<f32> = (0..100).map(|i| i as f32 / 200.0).collect();
        let generated: Vec<f32> = (0..50).map(|i| 0.3 + i as f32 / 100.0).collect();
        for share in [0.0, 0.05, 0.3] {
            let [low, high] =
                by_errors(photographs.clone(), generated.clone(), share, share).expect("of both");
            let n_fake = photographs.iter().filter(|p| **p >= high).count();
            let n_real = generated.iter().filter(|p| **p <= low).count();
            assert_eq!((n_fake, n_real), ((share * 100.0) as usize, (share * 50.0) as usize));
        }
        let sure = by_errors(vec![1.0; 9], generated.clone(), 0.05, 0.05);
        let saturated =
            |error| matches!(error, Error::Detector(DetectorError::SaturatedProbabilities));
        assert!(sure.is_err_and(saturated));
        assert!(by_errors(vec![], generated, 0.05, 0.05).is_err());
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
                labels.push(if (place as f32 + 0.5) / 1000.0 < p { FAKE } else { REAL });
            }
        }
        let [temperature, bias] = platt(&margins, &labels).expect("both labels");
        assert!(
            (temperature - 4.0).abs() < 0.02 && (bias + 1.0).abs() < 0.01,
            "{temperature} {bias}"
        );
        // Reversed, nothing can be concluded but the base rate.
        let reversed: Vec<f32> = margins.iter().map(|margin| -margin).collect();
        let [temperature, bias] = platt(&reversed, &labels).expect("both labels");
        assert_eq!(temperature, 100.0);
        assert!(bias < 0.0);
        assert!(platt(&margins, &vec![REAL; margins.len()]).is_err());
    }
}
