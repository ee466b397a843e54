//! Which pictures a run takes, and how they are split.

use serde::{Deserialize, Serialize};

/// Largest side of a training picture.
const MAX_SIDE: u32 = 1024;

/// The size of the pictures, and the split into training and validation set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Height and width that pictures are brought to.
    pub side: u32,
    /// Share of the training set that is held back to choose the epoch, threshold and temperature,
    /// above 0 and below 1.
    pub validation_fraction: f64,
    /// Keeps the first picture of each group of identical ones.
    pub deduplicate: bool,
    /// Number of pictures that are used, half of each label; 0 for all.
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
    /// Width and height.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.side, self.side)
    }

    /// Bytes of a picture.
    pub(crate) fn n_bytes(&self) -> usize {
        self.side as usize * self.side as usize * 3
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        if !(self.validation_fraction > 0.0 && self.validation_fraction < 1.0) {
            return Err("data: validation_fraction must be above 0 and below 1".into());
        }
        if !(1..=MAX_SIDE).contains(&self.side) {
            return Err(format!("data: side must be 1 to {MAX_SIDE}"));
        }
        Ok(())
    }
}
