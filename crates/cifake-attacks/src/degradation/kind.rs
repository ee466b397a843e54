//! Kinds of degradations and the ranges of their strengths.

use std::ops::RangeInclusive;

use cifake::Filter;
use serde::{Deserialize, Serialize};

use super::{Degradation, MAX_FACTOR, SCREENSHOT_FACTOR};

/// A kind of degradation without its numbers, for random draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DegradationKind {
    /// [`Degradation::Enlarge`]; its strength is the factor.
    Enlarge,
    /// [`Degradation::Jpeg`]; its strength is the quality.
    Jpeg,
    /// [`Degradation::Webp`]; its strength is the quality.
    Webp,
    /// [`Degradation::Blur`]; its strength is the standard deviation.
    Blur,
    /// [`Degradation::Crop`]; its strength is the side.
    Crop,
    /// [`Degradation::Noise`]; its strength is the standard deviation.
    Noise,
    /// [`Degradation::Brightness`]; its strength is the factor.
    Brightness,
    /// [`Degradation::Contrast`]; its strength is the factor.
    Contrast,
    /// [`Degradation::Grey`], which has no strength.
    Grey,
    /// [`Degradation::QuarterTurns`]; its strength is the number of turns.
    QuarterTurns,
    /// [`Degradation::Mirror`], which has no strength.
    Mirror,
    /// [`Degradation::Screenshot`]; its strength is the factor.
    Screenshot,
}

impl DegradationKind {
    /// The name in JSON and TOML.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enlarge => "enlarge",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
            Self::Blur => "blur",
            Self::Crop => "crop",
            Self::Noise => "noise",
            Self::Brightness => "brightness",
            Self::Contrast => "contrast",
            Self::Grey => "grey",
            Self::QuarterTurns => "quarter_turns",
            Self::Mirror => "mirror",
            Self::Screenshot => "screenshot",
        }
    }

    /// The range of its strength; `None` for a kind without a strength.
    #[must_use]
    pub fn strengths(self) -> Option<RangeInclusive<f32>> {
        match self {
            Self::Enlarge | Self::Screenshot => Some(1.0..=MAX_FACTOR),
            Self::Jpeg | Self::Webp => Some(1.0..=100.0),
            Self::Blur => Some(0.1..=10.0),
            Self::Crop => Some(1.0..=4096.0),
            Self::Noise => Some(0.0..=255.0),
            Self::Brightness | Self::Contrast => Some(0.0..=10.0),
            Self::QuarterTurns => Some(1.0..=3.0),
            Self::Grey | Self::Mirror => None,
        }
    }

    /// Default range of a random draw; `None` if the range has to be given.
    #[must_use]
    pub fn usual_strengths(self) -> Option<[f32; 2]> {
        match self {
            Self::QuarterTurns => Some([1.0, 3.0]),
            Self::Screenshot => Some([SCREENSHOT_FACTOR; 2]),
            _ => None,
        }
    }

    /// Whether its strength is a whole number.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Jpeg | Self::Webp | Self::Crop | Self::QuarterTurns)
    }

    /// The degradation of this kind with `strength`, rounded if the kind takes whole numbers. `filter`
    /// is the filter of an enlargement.
    #[must_use]
    pub fn with(self, strength: f32, filter: Filter) -> Degradation {
        let byte = strength.round() as u8;
        match self {
            Self::Enlarge => Degradation::Enlarge { factor: strength, filter },
            Self::Jpeg => Degradation::Jpeg { quality: byte },
            Self::Webp => Degradation::Webp { quality: byte },
            Self::Blur => Degradation::Blur { sigma: strength },
            Self::Crop => Degradation::Crop { side: strength.round() as u32 },
            Self::Noise => Degradation::Noise { sigma: strength },
            Self::Brightness => Degradation::Brightness { factor: strength },
            Self::Contrast => Degradation::Contrast { factor: strength },
            Self::Grey => Degradation::Grey,
            Self::QuarterTurns => Degradation::QuarterTurns { turns: byte },
            Self::Mirror => Degradation::Mirror,
            Self::Screenshot => Degradation::Screenshot { factor: strength },
        }
    }
}
