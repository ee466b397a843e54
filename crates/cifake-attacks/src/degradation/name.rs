//! The names of degradations, for programs and tables.

use std::fmt;
use std::str::FromStr;

use cifake::Filter;

use super::{Degradation, DegradationKind, SCREENSHOT_FACTOR};
use crate::Error;

impl fmt::Display for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enlarge { factor, filter } => write!(f, "enlarge-x{factor}-{}", filter.as_str()),
            Self::Jpeg { quality } => write!(f, "jpeg-{quality}"),
            Self::Webp { quality } => write!(f, "webp-{quality}"),
            Self::Blur { sigma } => write!(f, "blur-{sigma}"),
            Self::Crop { side } => write!(f, "crop-{side}"),
            Self::Noise { sigma } => write!(f, "noise-{sigma}"),
            Self::Brightness { factor } => write!(f, "brightness-{factor}"),
            Self::Contrast { factor } => write!(f, "contrast-{factor}"),
            Self::Grey => f.write_str("grey"),
            Self::QuarterTurns { turns } => write!(f, "turn-{}", u32::from(*turns) * 90),
            Self::Mirror => f.write_str("mirror"),
            Self::Screenshot { factor } if *factor == SCREENSHOT_FACTOR => {
                f.write_str("screenshot")
            }
            Self::Screenshot { factor } => write!(f, "screenshot-x{factor}"),
        }
    }
}

impl FromStr for Degradation {
    type Err = Error;

    /// The degradation called `name`, as [`Display`](fmt::Display) writes it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDegradation`], [`Error::NotANumber`], [`Error::NumberOutOfRange`].
    fn from_str(name: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownDegradation { name: name.to_owned() };
        let (kind, rest) = match name.split_once('-') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (name, None),
        };
        let (number, filter) = match (kind, rest) {
            ("enlarge", Some(rest)) => {
                let (number, filter) = rest.split_once('-').ok_or_else(unknown)?;
                let named = |known: &Filter| known.as_str() == filter;
                (Some(number), Filter::ALL.into_iter().find(named).ok_or_else(unknown)?)
            }
            _ => (rest, Filter::Bilinear),
        };
        let kind = kind_named(kind).ok_or_else(unknown)?;
        let strength = match number {
            Some(number) => strength_of(name, kind, number)?,
            None if kind.strengths().is_none() => 0.0,
            None if kind == DegradationKind::Screenshot => SCREENSHOT_FACTOR,
            None => return Err(unknown()),
        };
        Ok(kind.with(strength, filter))
    }
}

/// The kind at the beginning of a name.
fn kind_named(word: &str) -> Option<DegradationKind> {
    use DegradationKind as Kind;
    let kinds = [
        Kind::Enlarge,
        Kind::Jpeg,
        Kind::Webp,
        Kind::Blur,
        Kind::Crop,
        Kind::Noise,
        Kind::Brightness,
        Kind::Contrast,
        Kind::Grey,
        Kind::Mirror,
        Kind::Screenshot,
    ];
    match word {
        "turn" => Some(Kind::QuarterTurns),
        _ => kinds.into_iter().find(|kind| kind.as_str() == word),
    }
}

/// The number in `name`, checked against the range of `kind`.
fn strength_of(name: &str, kind: DegradationKind, number: &str) -> Result<f32, Error> {
    let out_of_range = |range| Error::NumberOutOfRange { name: name.to_owned(), range };
    let unknown = || Error::UnknownDegradation { name: name.to_owned() };
    let enlarges = matches!(kind, DegradationKind::Enlarge | DegradationKind::Screenshot);
    let digits = if enlarges { number.strip_prefix('x').ok_or_else(unknown)? } else { number };
    let mut strength: f32 =
        digits.parse().map_err(|_| Error::NotANumber { text: digits.to_owned() })?;
    if kind == DegradationKind::QuarterTurns {
        strength /= 90.0;
    }
    let strengths = kind.strengths().ok_or_else(unknown)?;
    let whole = !kind.is_whole() || strength.fract() == 0.0;
    if !whole || !strengths.contains(&strength) {
        return Err(out_of_range(range_in_words(kind)));
    }
    Ok(strength)
}

/// The range of a number in words.
fn range_in_words(kind: DegradationKind) -> &'static str {
    match kind {
        DegradationKind::Enlarge | DegradationKind::Screenshot => "a factor from 1 to 16",
        DegradationKind::Jpeg | DegradationKind::Webp => "a whole quality from 1 to 100",
        DegradationKind::Blur => "a deviation from 0.1 to 10 pixels",
        DegradationKind::Crop => "a whole side from 1 to 4096 pixels",
        DegradationKind::Noise => "a deviation from 0 to 255 levels",
        DegradationKind::QuarterTurns => "90, 180 or 270 degrees",
        _ => "a factor from 0 to 10",
    }
}
