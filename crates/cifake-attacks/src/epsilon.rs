//! Distances in pixel units.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Radius of a ball around a picture whose values are in `[0, 1]`.
///
/// ```
/// use cifake_attacks::Epsilon;
///
/// assert_eq!(Epsilon::from_255(8.0)?.value(), 8.0 / 255.0);
/// assert_eq!(Epsilon::new(0.5)?.to_string(), "0.5");
/// assert_eq!(Epsilon::from_255(8.0)?.to_string(), "8/255");
/// assert_eq!("8/255".parse::<Epsilon>()?, Epsilon::from_255(8.0)?);
/// assert!(Epsilon::new(-1.0).is_err());
/// # Ok::<(), cifake_attacks::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "f64")]
pub struct Epsilon(f64);

impl Epsilon {
    /// A radius in units of the whole range of a pixel.
    ///
    /// # Errors
    ///
    /// [`Error::Epsilon`] if it is negative or not finite.
    pub fn new(value: f64) -> Result<Self, Error> {
        if value.is_finite() && value >= 0.0 {
            Ok(Self(value))
        } else {
            Err(Error::Epsilon { value })
        }
    }

    /// A radius in levels of an 8-bit picture: `levels / 255`.
    ///
    /// # Errors
    ///
    /// [`Error::Epsilon`] if it is negative or not finite.
    pub fn from_255(levels: f64) -> Result<Self, Error> {
        Self::new(levels / 255.0)
    }

    /// The radius, for pixels in `[0, 1]`.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

/// The forms of a radius in a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl TryFrom<Written> for Epsilon {
    type Error = Error;

    fn try_from(written: Written) -> Result<Self, Error> {
        match written {
            Written::Number(value) => Self::new(value),
            Written::Text(text) => text.parse(),
        }
    }
}

impl std::str::FromStr for Epsilon {
    type Err = Error;

    /// Reads what [`Display`](std::fmt::Display) writes: `0.5`, or `2/255`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let unreadable = |_| Error::EpsilonText { text: text.to_owned() };
        match text.strip_suffix("/255") {
            Some(levels) => Self::from_255(levels.trim().parse().map_err(unreadable)?),
            None => Self::new(text.trim().parse().map_err(unreadable)?),
        }
    }
}

impl From<Epsilon> for f64 {
    fn from(epsilon: Epsilon) -> Self {
        epsilon.0
    }
}

impl std::fmt::Display for Epsilon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let levels = self.0 * 255.0;
        // As levels where they are whole and a fraction of the range would not be read as such.
        if (levels - levels.round()).abs() < 1e-9 && self.0 < 0.25 {
            write!(f, "{}/255", levels.round())
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// Length of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSize {
    /// In pixel units.
    Absolute(Epsilon),
    /// As a multiple of epsilon.
    Relative(f64),
}

impl StepSize {
    /// `factor` times as long, which is not negative.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Absolute(step) => Self::Absolute(Epsilon(step.0 * factor)),
            Self::Relative(step) => Self::Relative(step * factor),
        }
    }

    /// In pixel units, for a ball of radius `epsilon`.
    #[must_use]
    pub fn of(self, epsilon: Epsilon) -> f64 {
        match self {
            Self::Absolute(step) => step.value(),
            Self::Relative(share) => share * epsilon.value(),
        }
    }
}
