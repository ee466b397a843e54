//! All metrics of one set of samples, with their intervals, from one sort.

use std::ops::Range;

use cifake::{Error, Label};
use serde::{Deserialize, Serialize};

use super::calibration::{Answer, first_improbable};
use super::{Bootstrap, Confusion, Metric, N_BINS, check};

/// Number of metrics that have an interval.
const N_METRICS: usize = 9;

/// The metrics of one set of samples. A metric that the samples do not define is `None`: one that compares both labels
/// where only one is there, or calibration of scores that are no probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Number of samples.
    pub n: usize,
    /// Share called what they are.
    pub accuracy: Metric,
    /// Share of the REAL samples that are called REAL.
    pub accuracy_real: Option<Metric>,
    /// Share of the FAKE samples that are called FAKE.
    pub accuracy_fake: Option<Metric>,
    /// Area under the curve of hits over false alarms.
    pub auc: Option<Metric>,
    /// Average precision of FAKE.
    pub ap: Option<Metric>,
    /// Share of hits at a threshold with at most 1 % of false alarms.
    pub tpr_at_fpr_1: Option<Metric>,
    /// Share of hits at a threshold with at most 5 % of false alarms.
    pub tpr_at_fpr_5: Option<Metric>,
    /// Expected calibration error over 15 bins.
    pub ece: Option<Metric>,
    /// Brier score.
    pub brier: Option<Metric>,
    /// Counts of right and wrong answers.
    pub confusion: Confusion,
}

impl Bootstrap {
    /// Measures `scores` against `labels`, FAKE being called at `threshold`.
    ///
    /// # Errors
    /// [`Error::NoSamples`], [`Error::LengthMismatch`], [`Error::ScoreNotFinite`].
    pub fn measure(
        &self,
        scores: &[f32],
        labels: &[Label],
        threshold: f64,
    ) -> Result<Measures, Error> {
        check(scores, labels)?;
        let n = scores.len();
        let sorted = Sorted::new(scores, labels, threshold);
        let values = sorted.statistics(&vec![1; n]);
        let intervals = self.intervals(n, |counts| sorted.statistics(counts));
        let metrics: [Option<Metric>; N_METRICS] = std::array::from_fn(|index| {
            let value = values[index];
            let (low, high) = intervals[index].unwrap_or((value, value));
            (!value.is_nan()).then_some(Metric { value, low, high })
        });
        let [accuracy, accuracy_real, accuracy_fake, auc, ap, tpr_1, tpr_5, ece, brier] = metrics;
        Ok(Measures {
            n,
            accuracy: accuracy.expect("checked above to hold samples, which define an accuracy"),
            accuracy_real,
            accuracy_fake,
            auc,
            ap,
            tpr_at_fpr_1: tpr_1,
            tpr_at_fpr_5: tpr_5,
            ece,
            brier,
            confusion: Confusion::new(scores, labels, threshold)?,
        })
    }
}

/// Samples from the highest score down, so that every metric of a resample is one pass over counts.
struct Sorted {
    /// Whether the sample is FAKE.
    fake: Vec<bool>,
    /// Positions of equal scores.
    ties: Vec<Range<usize>>,
    /// The number of samples called FAKE: always the first ones.
    n_called: usize,
    /// Empty where the scores are no probabilities.
    answers: Vec<Answer>,
}

impl Sorted {
    fn new(scores: &[f32], labels: &[Label], threshold: f64) -> Self {
        let mut samples: Vec<(f32, Label)> =
            scores.iter().copied().zip(labels.iter().copied()).collect();
        samples.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let mut end = 0;
        let ties = samples
            .chunk_by(|(a, _), (b, _)| a == b)
            .map(|tie| {
                let start = end;
                end += tie.len();
                start..end
            })
            .collect();
        let answer = |(score, label): &(f32, Label)| Answer::new(*score, *label);
        let answers = match first_improbable(scores) {
            None => samples.iter().map(answer).collect(),
            Some(_) => Vec::new(),
        };
        Self {
            fake: samples.iter().map(|(_, label)| *label == Label::Fake).collect(),
            ties,
            n_called: samples.partition_point(|(score, _)| f64::from(*score) >= threshold),
            answers,
        }
    }

    /// The metrics of the samples, each standing there as often as `counts` says; NaN where they do
    /// not define one.
    fn statistics(&self, counts: &[u32]) -> [f64; N_METRICS] {
        let n: f64 = counts.iter().map(|count| f64::from(*count)).sum();
        let n_fake: f64 =
            counts.iter().zip(&self.fake).map(|(c, fake)| f64::from(*c * u32::from(*fake))).sum();
        let n_real = n - n_fake;
        let [hits, false_alarms, auc, ap, tpr_1, tpr_5] = self.ranking(counts, n_real);
        let (ece, brier) = self.calibration(counts);
        [
            (hits + n_real - false_alarms) / n,
            (n_real - false_alarms) / n_real,
            hits / n_fake,
            auc / (n_fake * n_real),
            ap / n_fake,
            if n_real > 0.0 { tpr_1 / n_fake } else { f64::NAN },
            if n_real > 0.0 { tpr_5 / n_fake } else { f64::NAN },
            ece / n,
            brier / n,
        ]
    }

    /// Hits and false alarms at the threshold; ordered pairs; summed precision; hits at 1 % and 5 %
    /// of false alarms.
    fn ranking(&self, counts: &[u32], n_real: f64) -> [f64; 6] {
        let allowed = [0.01, 0.05].map(|fpr| n_real * fpr * (1.0 + f64::EPSILON));
        let (mut fakes, mut reals) = (0.0, 0.0);
        let (mut called, mut pairs, mut precision, mut hits) = ((0.0, 0.0), 0.0, 0.0, [0.0; 2]);
        for tie in &self.ties {
            let (mut more_fakes, mut more_reals) = (0, 0);
            for position in tie.clone() {
                let (count, fake) = (counts[position], u32::from(self.fake[position]));
                more_fakes += count * fake;
                more_reals += count * (1 - fake);
            }
            let (more_fakes, more_reals) = (f64::from(more_fakes), f64::from(more_reals));
            pairs += more_reals * (fakes + 0.5 * more_fakes);
            fakes += more_fakes;
            reals += more_reals;
            if more_fakes > 0.0 {
                precision += more_fakes * fakes / (fakes + reals);
            }
            if tie.end <= self.n_called {
                called = (fakes, reals);
            }
            for (hits, allowed) in hits.iter_mut().zip(allowed) {
                if reals <= allowed {
                    *hits = fakes;
                }
            }
        }
        [called.0, called.1, pairs, precision, hits[0], hits[1]]
    }

    /// Sums over the samples of the calibration error and of the squared error.
    fn calibration(&self, counts: &[u32]) -> (f64, f64) {
        if self.answers.is_empty() {
            return (f64::NAN, f64::NAN);
        }
        let (mut gaps, mut squared_error) = ([0.0; N_BINS], 0.0);
        for (answer, count) in self.answers.iter().zip(counts) {
            let count = f64::from(*count);
            let right = f64::from(u8::from(answer.right));
            gaps[answer.bin] += count * (right - answer.confidence);
            squared_error += count * answer.squared_error;
        }
        (gaps.iter().map(|gap: &f64| gap.abs()).sum(), squared_error)
    }
}

#[cfg(test)]
mod tests {
    use cifake::Label::{Fake, Real};
    use proptest::prelude::*;

    use super::*;
    use crate::metrics;

    /// The results of the single functions, in the order of [`Sorted::statistics`].
    fn one_by_one(scores: &[f32], labels: &[Label], threshold: f64) -> [Option<f64>; N_METRICS] {
        [
            metrics::accuracy(scores, labels, threshold).ok(),
            metrics::label_accuracy(scores, labels, threshold, Real).ok(),
            metrics::label_accuracy(scores, labels, threshold, Fake).ok(),
            metrics::auc(scores, labels).ok(),
            metrics::average_precision(scores, labels).ok(),
            metrics::tpr_at_fpr(scores, labels, 0.01).ok(),
            metrics::tpr_at_fpr(scores, labels, 0.05).ok(),
            metrics::expected_calibration_error(scores, labels).ok(),
            metrics::brier(scores, labels).ok(),
        ]
    }

    fn all(measures: &Measures) -> [Option<Metric>; N_METRICS] {
        let m = measures;
        [
            Some(m.accuracy),
            m.accuracy_real,
            m.accuracy_fake,
            m.auc,
            m.ap,
            m.tpr_at_fpr_1,
            m.tpr_at_fpr_5,
            m.ece,
            m.brier,
        ]
    }

    fn samples() -> impl Strategy<Value = (Vec<f32>, Vec<Label>)> {
        let label = |fake| if fake { Fake } else { Real };
        proptest::collection::vec((0_u8..40, any::<bool>()), 1..120).prop_map(move |samples| {
            samples.into_iter().map(|(s, fake)| (f32::from(s) / 39.0, label(fake))).unzip()
        })
    }

    proptest! {
        #[test]
        fn the_one_pass_agrees_with_the_single_functions(
            (scores, labels) in samples(),
            threshold in 0.0_f64..1.0,
        ) {
            let bootstrap = Bootstrap::new(0).with_resamples(20);
            let measures = bootstrap.measure(&scores, &labels, threshold).expect("valid input");
            let expected = one_by_one(&scores, &labels, threshold);
            for (found, expected) in all(&measures).into_iter().zip(expected) {
                match (found, expected) {
                    (Some(found), Some(expected)) => {
                        prop_assert!((found.value - expected).abs() < 1e-12);
                        prop_assert!(found.low <= found.high);
                    }
                    (found, expected) => {
                        prop_assert_eq!(found.is_some(), expected.is_some());
                    }
                }
            }
        }

        #[test]
        fn a_resample_is_measured_like_samples_that_stand_there_twice(
            (scores, labels) in samples(),
        ) {
            let sorted = Sorted::new(&scores, &labels, 0.5);
            let once = sorted.statistics(&vec![1; scores.len()]);
            let twice = sorted.statistics(&vec![2; scores.len()]);
            for (once, twice) in once.into_iter().zip(twice) {
                prop_assert!(once.is_nan() && twice.is_nan() || (once - twice).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_interval_of_an_accuracy_is_the_binomial_one() {
        // 90 of 100 right: 0.9 +- 1.96 * sqrt(0.9 * 0.1 / 100) = 0.9 +- 0.059.
        let scores: Vec<f32> = (0..100).map(|index| if index < 90 { 0.9 } else { 0.1 }).collect();
        let measures = Bootstrap::new(5).measure(&scores, &[Fake; 100], 0.5).expect("valid input");
        let Metric { value, low, high } = measures.accuracy;
        assert_eq!(value, 0.9);
        assert!((low - 0.841).abs() < 0.015 && (high - 0.959).abs() < 0.015, "{low} {high}");
    }

    #[test]
    fn one_label_leaves_the_comparisons_out() {
        let measures = Bootstrap::new(5).measure(&[0.9, 0.2], &[Real; 2], 0.5).expect("valid");
        assert_eq!(measures.accuracy_real.map(|metric| metric.value), Some(0.5));
        assert_eq!((measures.accuracy_fake, measures.auc, measures.ap), (None, None, None));
        assert_eq!(measures.tpr_at_fpr_1, None);
        assert!(measures.ece.is_some());
    }

    #[test]
    fn logits_have_no_calibration() {
        let measures = Bootstrap::new(5).measure(&[3.0, -2.0], &[Fake, Real], 0.0).expect("valid");
        assert_eq!((measures.ece, measures.brier), (None, None));
        assert_eq!(measures.auc.map(|metric| metric.value), Some(1.0));
    }

    /// 500 samples with 259 FAKE and many equal scores, from a generator that Python repeats.
    fn generated() -> (Vec<f32>, Vec<Label>) {
        let mut state = 12_345_u64;
        let mut next = move || {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            state
        };
        let mut sample = move || {
            let (fake, noise) = ((next() >> 16) & 1, (next() >> 8) % 1000);
            let label = if fake == 1 { Fake } else { Real };
            ((noise * 7 + 3000 * fake) as f32 / 10_000.0, label)
        };
        (0..500).map(|_| sample()).unzip()
    }

    #[test]
    fn values_are_those_of_scikit_learn() {
        let (scores, labels) = generated();
        // scikit-learn 1.9.1, numpy for the calibration error.
        let expected = [
            (metrics::accuracy(&scores, &labels, 0.5), 0.702),
            (metrics::auc(&scores, &labels), 0.828_513_753_824_957_2),
            (metrics::average_precision(&scores, &labels), 0.855_890_587_729_849_3),
            (metrics::tpr_at_fpr(&scores, &labels, 0.01), 0.413_127_413_127_413_13),
            (metrics::tpr_at_fpr(&scores, &labels, 0.05), 0.478_764_478_764_478_75),
            (metrics::expected_calibration_error(&scores, &labels), 0.100_482_199_899_386_62),
            (metrics::brier(&scores, &labels), 0.165_911_539_197_239_6),
        ];
        for (index, (found, expected)) in expected.into_iter().enumerate() {
            let found = found.expect("valid input");
            assert!((found - expected).abs() < 1e-12, "{index}: {found} {expected}");
        }
        let margins: Vec<f32> =
            scores.iter().map(|score| ((f64::from(*score) - 0.5) * 12.0) as f32).collect();
        let [temperature, bias] = metrics::fit_platt(&margins, &labels).expect("both labels");
        // At the greatest likelihood the errors have a mean of 0, and so have they weighted by the margins.
        let error = |(margin, label): (&f32, &Label)| {
            1.0 / (1.0 + (-f64::from(*margin) / temperature - bias).exp()) - label.index() as f64
        };
        let pairs = || margins.iter().zip(&labels);
        let mean: f64 = pairs().map(error).sum();
        let weighted: f64 = pairs().map(|pair| error(pair) * f64::from(*pair.0)).sum();
        assert!(mean.abs() < 1e-6 && weighted.abs() < 1e-6, "{mean} {weighted}");
    }
}
