//! Why a calibration could not be fitted.

use crate::Label;

/// Why a calibration could not be fitted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// There are too few samples of a label.
    #[error(
        "a calibration needs {needed} pictures of each label, and there are {found} of {label}; give more"
    )]
    TooFew {
        /// The label.
        label: Label,
        /// Number of its samples.
        found: usize,
        /// Least number of samples of each label.
        needed: usize,
    },
    /// The best calibration is out of the range that a weight file may hold.
    #[error(
        "no calibration fits: the best temperature is {temperature:.3}, the best bias {bias:.3}; the scores do \
         not follow the labels of these pictures; train longer or on more pictures"
    )]
    OutOfRange {
        /// The temperature that was found.
        temperature: f64,
        /// The bias that was found.
        bias: f64,
    },
}
