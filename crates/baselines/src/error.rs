//! Errors of the detectors of this crate.

use std::path::PathBuf;

/// An error of this crate: it keeps its cause and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the core, such as a weight file that cannot be read.
    #[error(transparent)]
    Core(#[from] cifake::Error),
    /// A statistic is NaN or infinite for a picture.
    #[error("the statistic of picture {index} is {value}; the weights or the picture are broken")]
    StatisticNotFinite {
        /// Position of the picture.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A statistic has one value for all pictures.
    #[error("the statistic is {value} for all pictures; choose other weights or settings")]
    StatisticConstant {
        /// That value.
        value: f32,
    },
    /// A statistic does not tell the labels apart.
    #[error(
        "the statistic separates nothing: its slope {slope:.3} is within its standard error {error:.3}; \
         take more pictures, or choose other weights or settings"
    )]
    NoSeparation {
        /// Slope of the logistic regression on the standardized statistic.
        slope: f64,
        /// Standard error of the slope.
        error: f64,
    },
    /// An import knows no such part or setting.
    #[error("{detector} has no {kind} `{name}`; it has {}", listed(known))]
    UnknownName {
        /// The detector.
        detector: &'static str,
        /// `part` or `setting`.
        kind: &'static str,
        /// The name as it was given.
        name: String,
        /// The names that it has.
        known: Vec<&'static str>,
    },
    /// An import lacks a part.
    #[error("{detector} needs the part `{name}`; add --part {name}=FILE")]
    MissingPart {
        /// The detector.
        detector: &'static str,
        /// The part.
        name: &'static str,
    },
    /// An import has to fit a threshold and has no pictures.
    #[error("{detector} is fitted on labelled pictures; name a data set with --data")]
    MissingPictures {
        /// The detector.
        detector: &'static str,
    },
    /// The value of a setting cannot be used.
    #[error("the setting `{name}` cannot be `{value}`: {reason}")]
    Setting {
        /// The setting.
        name: String,
        /// The value as it was given.
        value: String,
        /// The condition that the value must meet.
        reason: String,
    },
    /// Parts and settings make no detector.
    #[error("{detector} cannot be built: {reason}")]
    Configuration {
        /// The detector.
        detector: &'static str,
        /// The fault.
        reason: String,
    },
    /// A checkpoint holds the state of a training run and no weights under a known name.
    #[error(
        "{} holds the state of a training run, under {}, and no `model` or `state_dict`; save its weights alone",
        path.display(), keys.join(", ")
    )]
    TrainingState {
        /// The checkpoint.
        path: PathBuf,
        /// The first parts of its names, sorted.
        keys: Vec<String>,
    },
}

/// The names `known`, for a message.
fn listed(known: &[&str]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}
