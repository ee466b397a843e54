//! The pictures that a run takes, and their split.

use cifake::{Dataset, Split};
use serde::{Deserialize, Serialize};

use crate::range::Range;

/// Largest side of a training picture.
const MAX_SIDE: u32 = 1024;
/// Most pictures that a limit may name.
const MAX_LIMIT: usize = 1 << 40;

/// The size of the pictures, and the split into training and validation set.
///
/// Begin with [`DataConfig::default`] and change fields:
///
/// ```
/// use cifake_training::DataConfig;
///
/// let config = DataConfig::default().with_side(64).with_validation_fraction(0.1);
/// assert_eq!((config.side, config.limit), (64, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DataConfig {
    /// Height and width that pictures are brought to, 1 to 1024 pixels.
    pub side: u32,
    /// Share of the training set that is held back to choose the epoch, threshold and temperature,
    /// above 0 and below 1. A data set with a validation split of its own holds nothing back.
    pub validation_fraction: f64,
    /// Keeps the first picture of each group of identical ones.
    pub deduplicate: bool,
    /// Number of pictures of the training set that are used, half of each label, at most 2^40; 0 for all.
    pub limit: usize,
    /// Seed of the split and of the limit. It differs from the seed of the run, so that runs of several
    /// seeds share their validation set.
    pub seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { side: 32, validation_fraction: 0.05, deduplicate: true, limit: 0, seed: 1 }
    }
}

impl DataConfig {
    /// Sets height and width.
    #[must_use]
    pub fn with_side(self, side: u32) -> Self {
        Self { side, ..self }
    }

    /// Sets the share of the training set that is held back.
    #[must_use]
    pub fn with_validation_fraction(self, validation_fraction: f64) -> Self {
        Self { validation_fraction, ..self }
    }

    /// Sets the number of pictures of the training set that are used; 0 for all.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Width and height.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.side, self.side)
    }

    /// Bytes of a picture.
    pub(crate) fn n_bytes(&self) -> usize {
        self.side as usize * self.side as usize * 3
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let fraction = Range::Open(0.0, 1.0);
        fraction.check("data: validation_fraction", self.validation_fraction)?;
        Range::Closed(1.0, MAX_SIDE.into()).check("data: side", self.side.into())?;
        Range::Closed(0.0, MAX_LIMIT as f64).check_count("data: limit", self.limit)
    }
}

/// The source of the pictures that choose the epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ValidationSource {
    /// A share of the training set: [`DataConfig::validation_fraction`].
    #[default]
    HeldBack,
    /// The validation split of the data set.
    OwnSplit,
}

impl ValidationSource {
    /// That of a run on `dataset`: its validation split, where a picture names one.
    #[must_use]
    pub fn of(dataset: &dyn Dataset) -> Self {
        let is_own = |split| split == Some(Split::Validation);
        match dataset.samples().iter().any(|sample| is_own(sample.split)) {
            true => Self::OwnSplit,
            false => Self::HeldBack,
        }
    }
}
