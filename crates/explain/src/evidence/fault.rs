//! Faults of calibrations and of names.

/// The fault of numbers that are not a calibration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationFault {
    /// Measures are missing, unknown or in another order.
    #[error("the calibration is not of the measures of this version: calibrate again")]
    Measures,
    /// A label has no picture.
    #[error("a calibration needs pictures of both labels")]
    NoPictures,
    /// Numbers are not quantiles.
    #[error(
        "the quantiles of {measure} in the calibration are not {n} finite numbers in ascending order"
    )]
    Quantiles {
        /// Name of the measure.
        measure: String,
        /// Quantiles of each label.
        n: usize,
    },
    /// A tail outside its range.
    #[error("a tail of {0} % of the camera pictures is not between 0 and 50")]
    Tail(f64),
    /// The pictures are too small to be measured.
    #[error("a side of {0} pixels is too short to be measured: 16 is the least")]
    PictureSide(u32),
}

/// A text that is not the name of a [`Measure`](super::Measure).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no measure is called {name:?}")]
pub struct UnknownMeasure {
    /// The text.
    pub name: String,
}
