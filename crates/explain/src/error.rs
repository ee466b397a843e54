//! What can go wrong.

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The evidence was asked of a picture of another size than it was calibrated on.
    #[error(
        "evidence is calibrated on pictures of {expected}x{expected} pixels, not {width}x{height}"
    )]
    PictureSize {
        /// Height and width that are needed.
        expected: u32,
        /// Of the picture.
        width: u32,
        /// Of the picture.
        height: u32,
    },
    /// A calibration that is none.
    #[error("no calibration of evidence: {0}")]
    Calibration(String),
}
