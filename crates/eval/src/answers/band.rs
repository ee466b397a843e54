//! The band in which the answer is UNSURE.

use cifake::{DetectorError, Error, Label};

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
}
