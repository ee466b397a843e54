//! The answer of a detector that may say "I do not know".

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Label;

/// A detector's answer: a label, or that it cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Answer {
    /// Taken by a camera.
    Real,
    /// Made by a generative model.
    Fake,
    /// It cannot tell: the probability is too close to the threshold, or the picture is unlike all that
    /// it learned from.
    Unsure,
}

impl Answer {
    /// All answers.
    pub const ALL: [Self; 3] = [Self::Real, Self::Fake, Self::Unsure];

    /// `"REAL"`, `"FAKE"` or `"UNSURE"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Real => "REAL",
            Self::Fake => "FAKE",
            Self::Unsure => "UNSURE",
        }
    }
}

impl From<Label> for Answer {
    fn from(label: Label) -> Self {
        match label {
            Label::Real => Self::Real,
            Label::Fake => Self::Fake,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The degree to which an answer rests on the pictures that a detector learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The picture has the model's own size, and is like its training pictures.
    Native,
    /// The picture was resized to the model's size, and is then like its training pictures.
    Resized,
    /// The picture is unlike the training pictures, so that nothing can be said of it.
    Unfamiliar,
}

impl Scope {
    /// `"native"`, `"resized"` or `"unfamiliar"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Resized => "resized",
            Self::Unfamiliar => "unfamiliar",
        }
    }
}

impl From<crate::InputFit> for Scope {
    fn from(fit: crate::InputFit) -> Self {
        match fit {
            crate::InputFit::Native => Self::Native,
            crate::InputFit::Resized => Self::Resized,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
