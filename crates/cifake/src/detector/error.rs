//! Errors of a detector.

use std::path::PathBuf;

/// An error of a detector: it names the file, keeps its cause and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// A bare name that belongs to no shipped weights and to no file.
    #[error("there are no weights `{name}`; give a weight file or one of: {}", known.join(", "))]
    UnknownWeights {
        /// The name that was given.
        name: String,
        /// The names of the shipped weights.
        known: Vec<String>,
    },
    /// A weight file whose metadata declare no network of the registry.
    #[error(
        "the metadata of {} declare no network of this program; expected one of the keys: {}",
        path.display(),
        known.join(", ")
    )]
    UnknownNetwork {
        /// The weight file.
        path: PathBuf,
        /// The keys that are known.
        known: Vec<String>,
    },
    /// A calibration in a weight file's metadata that is no usable number.
    #[error(
        "`{key}` in the metadata of {name} is `{value}` where {expected} was expected; calibrate the weights again"
    )]
    Calibration {
        /// The file.
        name: String,
        /// The metadata key.
        key: &'static str,
        /// The text under that key.
        value: String,
        /// The texts that are accepted.
        expected: &'static str,
    },
    /// Too few pictures to fit something to.
    #[error("too few pictures to fit to: {found}; give at least {needed} of each kind")]
    TooFewPictures {
        /// The number of pictures given.
        found: usize,
        /// The number of pictures needed.
        needed: usize,
    },
    /// Features without a spread in some direction, or one beyond all numbers.
    #[error(
        "the features of the training pictures do not spread in all directions; add a larger ridge"
    )]
    FlatFeatures,
    /// Probabilities that are exactly 0 or 1, so that no threshold lies beyond them.
    #[error(
        "the probabilities of too many pictures are exactly 0 or 1, so that no threshold tells the sure ones; \
         fit the calibration to other pictures"
    )]
    SaturatedProbabilities,
    /// A threshold that no probability can be compared with.
    #[error("the threshold {value} is no probability; give a number in [0, 1]")]
    Threshold {
        /// The threshold that was given.
        value: f32,
    },
    /// A model whose answer is no number.
    #[error(
        "{model} gives a probability that is not a number; its weights are broken, train or download them again"
    )]
    NotFinite {
        /// The model.
        model: String,
    },
}
