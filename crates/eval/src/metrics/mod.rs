//! The quality of scores, on plain slices.
//!
//! Everywhere: a score is higher for FAKE, which is the positive class; `scores[i]` belongs to
//! `labels[i]`; a sample is called FAKE where its score is at least the threshold. Shares are in
//! `[0, 1]`. NaN and infinite scores, empty inputs and lists of different lengths are errors.
//!
//! ```
//! use cifake::Label::{Fake, Real};
//! use cifake_eval::metrics;
//!
//! let (scores, labels) = ([0.1, 0.4, 0.35, 0.8], [Real, Real, Fake, Fake]);
//! assert_eq!(metrics::auc(&scores, &labels)?, 0.75);
//! assert_eq!(metrics::accuracy(&scores, &labels, 0.5)?, 0.75);
//!
//! let measures = metrics::Bootstrap::new(42).measure(&scores, &labels, 0.5)?;
//! assert_eq!(measures.accuracy.value, 0.75);
//! assert!(measures.accuracy.low <= 0.75 && measures.accuracy.high >= 0.75);
//! # Ok::<(), cifake::Error>(())
//! ```

mod bootstrap;
mod calibration;
mod confusion;
mod mcnemar;
mod measures;
mod ranking;
mod separation;

use serde::{Deserialize, Serialize};

pub use bootstrap::Bootstrap;
pub(crate) use calibration::must_suffice;
pub use calibration::{
    BIASES, MIN_CALIBRATION, N_BINS, ReliabilityBin, TEMPERATURES, brier, calibration,
    expected_calibration_error, fit_platt, reliability,
};
pub use confusion::{Confusion, accuracy, label_accuracy};
pub use mcnemar::McNemar;
pub use measures::Measures;
pub use ranking::{RocPoint, auc, average_precision, best_threshold, roc_curve, tpr_at_fpr};
pub use separation::Separation;

use cifake::{Error, Label};

/// A value and the interval that a bootstrap gives it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The value on the samples themselves.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Refuses what no metric can be computed from.
fn check(scores: &[f32], labels: &[Label]) -> Result<(), Error> {
    if scores.len() != labels.len() {
        return Err(Error::LengthMismatch { scores: scores.len(), labels: labels.len() });
    }
    if scores.is_empty() {
        return Err(Error::NoSamples);
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(index) => Err(Error::ScoreNotFinite { index, score: scores[index] }),
        None => Ok(()),
    }
}

/// Like [`check`], and refuses samples that are all of one label.
fn check_both_labels(scores: &[f32], labels: &[Label]) -> Result<(), Error> {
    check(scores, labels)?;
    match Label::ALL.into_iter().find(|label| !labels.contains(label)) {
        Some(missing) => Err(Error::OneLabel { missing }),
        None => Ok(()),
    }
}
