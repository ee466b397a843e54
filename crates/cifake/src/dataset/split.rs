//! The parts of a published data set.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The names that published data sets give to their parts.
const NAMES: [(Split, &[&str]); 3] = [
    (Split::Train, &["train", "training"]),
    (Split::Validation, &["validation", "val", "valid"]),
    (Split::Test, &["test", "testing"]),
];

/// The parts of a published data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The pictures that a detector may be trained on.
    Train,
    /// The pictures that choose among detectors and settings, where a data set keeps such pictures apart.
    Validation,
    /// The pictures that a detector is measured on.
    Test,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// `"train"`, `"validation"` or `"test"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The split that data sets call `name`, in any case: `train` or `training`; `validation`, `val` or
    /// `valid`; `test` or `testing`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let is_it = |(_, names): &&(Self, &[&str])| {
            names.iter().any(|known| known.eq_ignore_ascii_case(name))
        };
        NAMES.iter().find(is_it).map(|(split, _)| *split)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
