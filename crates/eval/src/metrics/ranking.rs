//! Metrics of the order in which scores put the samples; equal scores share a place.

use cifake::{Error, Label};

use super::{check, check_both_labels};

/// One point of the curve of hits over false alarms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RocPoint {
    /// Share of the REAL samples that are called FAKE.
    pub fpr: f64,
    /// Share of the FAKE samples that are called FAKE.
    pub tpr: f64,
    /// The threshold at which that happens; infinite for the first point, where nothing is FAKE.
    pub threshold: f64,
}

/// Numbers of FAKE and REAL samples among those with at least the score `score`.
#[derive(Debug, Clone, Copy)]
struct Step {
    score: f32,
    n_fake: usize,
    n_real: usize,
}

/// The steps of the ranking, one a distinct score, from the highest score down.
fn steps(scores: &[f32], labels: &[Label]) -> Vec<Step> {
    let mut samples: Vec<(f32, Label)> =
        scores.iter().copied().zip(labels.iter().copied()).collect();
    samples.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut steps: Vec<Step> = Vec::new();
    let (mut n_fake, mut n_real) = (0, 0);
    for (score, label) in samples {
        match label {
            Label::Real => n_real += 1,
            Label::Fake => n_fake += 1,
        }
        let step = Step { score, n_fake, n_real };
        match steps.last_mut() {
            Some(last) if last.score == score => *last = step,
            _ => steps.push(step),
        }
    }
    steps
}

/// The curve of hits over false alarms, from `(0, 0)` to `(1, 1)`, one point a distinct score.
///
/// # Errors
/// [`Error::NoSamples`], [`Error::LengthMismatch`], [`Error::ScoreNotFinite`], [`Error::OneLabel`].
pub fn roc_curve(scores: &[f32], labels: &[Label]) -> Result<Vec<RocPoint>, Error> {
    check_both_labels(scores, labels)?;
    let n_fake = labels.iter().filter(|label| **label == Label::Fake).count();
    let n_real = labels.len() - n_fake;
    let mut points = vec![RocPoint { fpr: 0.0, tpr: 0.0, threshold: f64::INFINITY }];
    points.extend(steps(scores, labels).into_iter().map(|step| RocPoint {
        fpr: step.n_real as f64 / n_real as f64,
        tpr: step.n_fake as f64 / n_fake as f64,
        threshold: f64::from(step.score),
    }));
    Ok(points)
}

/// Area under the curve of hits over false alarms: how often a FAKE sample scores higher than a REAL
/// one, equal scores counting half.
///
/// # Errors
/// Those of [`roc_curve`].
pub fn auc(scores: &[f32], labels: &[Label]) -> Result<f64, Error> {
    check_both_labels(scores, labels)?;
    let steps = steps(scores, labels);
    let last = steps.last().expect("checked above to hold samples");
    // Twice the number of ordered pairs, so that halves stay whole numbers and the sum is exact.
    let (mut twice, mut before) = (0_u128, Step { score: f32::MAX, n_fake: 0, n_real: 0 });
    for step in &steps {
        let reals = (step.n_real - before.n_real) as u128;
        twice += reals * (before.n_fake + step.n_fake) as u128;
        before = *step;
    }
    Ok(twice as f64 / (2.0 * last.n_fake as f64 * last.n_real as f64))
}

/// Average precision: the precision at each distinct score, weighted by the FAKE samples that the
/// step adds, without interpolation, as scikit-learn has it.
///
/// # Errors
/// [`Error::NoSamples`], [`Error::LengthMismatch`], [`Error::ScoreNotFinite`], and
/// [`Error::OneLabel`] where no sample is FAKE.
pub fn average_precision(scores: &[f32], labels: &[Label]) -> Result<f64, Error> {
    check(scores, labels)?;
    let steps = steps(scores, labels);
    let n_fake = steps.last().expect("checked above to hold samples").n_fake;
    if n_fake == 0 {
        return Err(Error::OneLabel { missing: Label::Fake });
    }
    let (mut sum, mut before) = (0.0, 0);
    for step in &steps {
        let precision = step.n_fake as f64 / (step.n_fake + step.n_real) as f64;
        sum += (step.n_fake - before) as f64 * precision;
        before = step.n_fake;
    }
    Ok(sum / n_fake as f64)
}

/// The largest share of hits at a threshold that gives at most `fpr` false alarms; no interpolation
/// between thresholds, so that it is one that can be had.
///
/// # Errors
/// Those of [`roc_curve`].
pub fn tpr_at_fpr(scores: &[f32], labels: &[Label], fpr: f64) -> Result<f64, Error> {
    let points = roc_curve(scores, labels)?;
    let allowed = points.iter().take_while(|point| point.fpr <= fpr * (1.0 + f64::EPSILON));
    Ok(allowed.last().map_or(0.0, |point| point.tpr))
}

/// The threshold that gives the most right answers, halfway between two scores; of several, the one nearest to
/// one half. To be chosen on validation data.
///
/// # Errors
/// Those of [`roc_curve`].
pub fn best_threshold(scores: &[f32], labels: &[Label]) -> Result<f64, Error> {
    check_both_labels(scores, labels)?;
    let steps = steps(scores, labels);
    let [first, .., last] = &steps[..] else {
        // One score alone: FAKE or REAL for all.
        return Ok(f64::from(steps[0].score));
    };
    let halfway = |pair: &[Step]| f64::midpoint(f64::from(pair[0].score), f64::from(pair[1].score));
    let n_right = |step: &Step| step.n_fake + last.n_real - step.n_real;
    let nothing = (f64::from(first.score).next_up(), last.n_real);
    let between = steps.windows(2).map(|pair| (halfway(pair), n_right(&pair[0])));
    let everything = (f64::from(last.score), n_right(last));
    let choices = [nothing, everything].into_iter().chain(between);
    let off = |threshold: f64| (threshold - 0.5).abs();
    let best = choices.max_by(|a, b| a.1.cmp(&b.1).then(off(b.0).total_cmp(&off(a.0))));
    Ok(best.expect("there are at least two").0)
}

#[cfg(test)]
mod tests {
    use cifake::Label::{Fake, Real};
    use proptest::prelude::*;

    use super::*;

    /// Equal scores across the labels at 0.7 and 0.3; the expected values of these samples were
    /// computed by hand and agree with scikit-learn 1.9.
    const SCORES: [f32; 10] = [0.9, 0.7, 0.7, 0.7, 0.6, 0.55, 0.3, 0.3, 0.2, 0.1];
    const LABELS: [Label; 10] = [Fake, Fake, Real, Fake, Real, Fake, Fake, Real, Real, Real];

    #[test]
    fn auc_counts_ties_half() {
        // 5 FAKE x 5 REAL: 0.9 wins 5, 0.7 wins 4.5 twice, 0.55 wins 3, 0.3 wins 2.5.
        assert_eq!(auc(&SCORES, &LABELS).expect("both labels"), 19.5 / 25.0);
    }

    #[test]
    fn average_precision_steps_at_distinct_scores() {
        // 1/5 * 1 + 2/5 * 3/4 + 1/5 * 4/6 + 1/5 * 5/8
        let expected = 0.2 + 0.3 + 0.8 / 6.0 + 0.125;
        let found = average_precision(&SCORES, &LABELS).expect("a FAKE sample");
        assert!((found - expected).abs() < 1e-15, "{found}");
    }

    #[test]
    fn tpr_at_fpr_takes_the_last_threshold_that_is_allowed() {
        let tpr = |fpr| tpr_at_fpr(&SCORES, &LABELS, fpr).expect("both labels");
        assert_eq!(tpr(0.0), 0.2);
        assert_eq!(tpr(0.199), 0.2);
        assert_eq!(tpr(0.2), 0.6);
        assert_eq!(tpr(0.4), 0.8);
        assert_eq!(tpr(1.0), 1.0);
    }

    #[test]
    fn the_best_threshold_lies_between_the_scores_that_it_parts() {
        let best = |scores: &[f32], labels: &[Label]| best_threshold(scores, labels).expect("both");
        assert_eq!(best(&[0.25, 0.5, 0.75, 1.0], &[Real, Real, Fake, Fake]), 0.625);
        // Three right at 0.3125 and at 0.625: the nearer to one half.
        assert_eq!(best(&[0.125, 0.25, 0.375, 0.875], &[Real, Fake, Real, Fake]), 0.625);
        // Scores the wrong way round: nothing or everything is FAKE.
        assert_eq!(best(&[0.75, 0.25], &[Real, Fake]), 0.25);
        assert_eq!(best(&[0.5, 0.5], &[Real, Fake]), 0.5);
        let none = best(&[0.75, 0.25, 0.5], &[Real, Fake, Real]);
        assert!(none > 0.75 && none < 0.750_001, "{none}");
        assert!(matches!(best_threshold(&[0.5], &[Real]), Err(Error::OneLabel { missing: Fake })));
    }

    #[test]
    fn the_curve_has_one_point_a_distinct_score() {
        let points = roc_curve(&SCORES, &LABELS).expect("both labels");
        assert_eq!(points.len(), 8);
        assert_eq!(points[0], RocPoint { fpr: 0.0, tpr: 0.0, threshold: f64::INFINITY });
        let threshold = f64::from(0.7_f32);
        assert_eq!(points[2], RocPoint { fpr: 0.2, tpr: 0.6, threshold });
        assert_eq!((points[7].fpr, points[7].tpr), (1.0, 1.0));
    }

    #[test]
    fn one_label_is_an_error_where_both_are_compared() {
        let missing_fake = Err(Error::OneLabel { missing: Fake });
        assert!(matches!(auc(&[0.1], &[Real]), Err(Error::OneLabel { missing: Fake })));
        assert!(matches!(auc(&[0.1], &[Fake]), Err(Error::OneLabel { missing: Real })));
        assert_eq!(
            format!("{:?}", average_precision(&[0.1], &[Real])),
            format!("{:?}", missing_fake.map(|(): ()| 0.0))
        );
    }

    /// A few samples of both labels, with many equal scores.
    fn samples() -> impl Strategy<Value = (Vec<f32>, Vec<Label>)> {
        let sample = (0_u8..12, any::<bool>());
        proptest::collection::vec(sample, 2..60)
            .prop_map(|samples| {
                let label = |fake| if fake { Fake } else { Real };
                samples.into_iter().map(|(s, fake)| (f32::from(s) / 11.0, label(fake))).unzip()
            })
            .prop_filter("both labels", |(_, labels): &(Vec<f32>, Vec<Label>)| {
                labels.contains(&Real) && labels.contains(&Fake)
            })
    }

    fn auc_over_all_pairs(scores: &[f32], labels: &[Label]) -> f64 {
        let of = |label: Label| {
            scores.iter().zip(labels).filter(move |(_, l)| **l == label).map(|(score, _)| *score)
        };
        let (mut wins, mut pairs) = (0.0, 0.0);
        for fake in of(Fake) {
            for real in of(Real) {
                pairs += 1.0;
                wins += if fake > real {
                    1.0
                } else if fake == real {
                    0.5
                } else {
                    0.0
                };
            }
        }
        wins / pairs
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_ordered_pairs((scores, labels) in samples()) {
            let expected = auc_over_all_pairs(&scores, &labels);
            prop_assert!((auc(&scores, &labels).expect("both labels") - expected).abs() < 1e-12);
        }

        #[test]
        fn no_threshold_is_better_than_the_best((scores, labels) in samples()) {
            let best = best_threshold(&scores, &labels).expect("both labels");
            let accuracy = |t| crate::metrics::accuracy(&scores, &labels, t).expect("samples");
            for step in 0..=24 {
                prop_assert!(accuracy(best) >= accuracy(f64::from(step) / 22.0));
            }
        }

        #[test]
        fn ranking_metrics_do_not_change_under_a_monotone_map((scores, labels) in samples()) {
            let mapped: Vec<f32> = scores.iter().map(|score| score.powi(3) * 8.0 - 5.0).collect();
            for metric in [auc, average_precision, |s: &[f32], l: &[Label]| tpr_at_fpr(s, l, 0.1)] {
                let before = metric(&scores, &labels).expect("both labels");
                prop_assert_eq!(before, metric(&mapped, &labels).expect("both labels"));
            }
        }

        #[test]
        fn ranking_metrics_do_not_depend_on_the_order((scores, labels) in samples()) {
            let scores_back: Vec<f32> = scores.iter().rev().copied().collect();
            let labels_back: Vec<Label> = labels.iter().rev().copied().collect();
            for metric in [auc, average_precision] {
                let before = metric(&scores, &labels).expect("both labels");
                prop_assert_eq!(before, metric(&scores_back, &labels_back).expect("both labels"));
            }
        }

        #[test]
        fn negated_scores_mirror_the_auc((scores, labels) in samples()) {
            let negated: Vec<f32> = scores.iter().map(|score| -score).collect();
            let sum = auc(&scores, &labels).expect("both labels")
                + auc(&negated, &labels).expect("both labels");
            prop_assert!((sum - 1.0).abs() < 1e-12);
        }
    }
}
