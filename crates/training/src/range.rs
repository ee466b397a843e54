//! The ranges of the numbers in a recipe.

use std::fmt;

/// Most epochs, and most pictures a step.
pub(crate) const MAX_COUNT: usize = 1 << 20;
/// Most steps between two checkpoints, or between two looks of a guard.
pub(crate) const MAX_STEPS: usize = 1 << 30;

/// A range of numbers, which a recipe's error names. NaN lies in none.
///
/// ```
/// use cifake_training::Range;
///
/// assert_eq!(Range::Above(0.0, 10.0).check("learning_rate", 0.1), Ok(()));
/// let error = Range::Above(0.0, 10.0).check("learning_rate", f64::NAN);
/// assert_eq!(error, Err("learning_rate must be above 0 and at most 10, not NaN".to_owned()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// From the first to the second, both included.
    Closed(f64, f64),
    /// Above the first, up to the second.
    Above(f64, f64),
    /// From the first to below the second.
    Below(f64, f64),
    /// Between the two, neither included.
    Open(f64, f64),
}

impl Range {
    /// Whether `value` of the field called `name` lies in the range.
    ///
    /// # Errors
    ///
    /// A sentence with the field, the range and the value.
    pub fn check(self, name: &str, value: f64) -> Result<(), String> {
        let is_inside = match self {
            Self::Closed(low, high) => low <= value && value <= high,
            Self::Above(low, high) => low < value && value <= high,
            Self::Below(low, high) => low <= value && value < high,
            Self::Open(low, high) => low < value && value < high,
        };
        if is_inside { Ok(()) } else { Err(format!("{name} must be {self}, not {value}")) }
    }

    /// As [`check`](Self::check), for a count.
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn check_count(self, name: &str, value: usize) -> Result<(), String> {
        self.check(name, value as f64).map_err(|_| format!("{name} must be {self}, not {value}"))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(low, high) => write!(f, "from {low} to {high}"),
            Self::Above(low, high) => write!(f, "above {low} and at most {high}"),
            Self::Below(low, high) => write!(f, "at least {low} and below {high}"),
            Self::Open(low, high) => write!(f, "above {low} and below {high}"),
        }
    }
}
