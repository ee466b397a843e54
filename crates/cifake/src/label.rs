//! The two answers, in the order that every crate uses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The label of a picture. REAL = 0 and FAKE = 1 everywhere, whatever the order of a data set's
/// folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Label {
    /// Taken by a camera.
    Real = 0,
    /// Made by a generative model.
    Fake = 1,
}

impl Label {
    /// Both labels, in index order.
    pub const ALL: [Self; 2] = [Self::Real, Self::Fake];

    /// Index of the class in `[batch, 2]` logits.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The label whose name is `name` in any case, as data sets spell their folders.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.as_str().eq_ignore_ascii_case(name))
    }

    /// `"REAL"` or `"FAKE"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Real => "REAL",
            Self::Fake => "FAKE",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
