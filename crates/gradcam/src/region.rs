//! The ninths of a picture, and how much of a map each of them holds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::HeatMap;

/// Rows and columns of the grid of regions.
const PARTS: usize = 3;

/// A ninth of a picture, on a grid of three rows and three columns.
///
/// Its `Display` and its serialized form are its name, such as `top left`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Region {
    /// First row, first column.
    TopLeft,
    /// First row, second column.
    TopCenter,
    /// First row, third column.
    TopRight,
    /// Second row, first column.
    CenterLeft,
    /// Second row, second column.
    Center,
    /// Second row, third column.
    CenterRight,
    /// Third row, first column.
    BottomLeft,
    /// Third row, second column.
    BottomCenter,
    /// Third row, third column.
    BottomRight,
}

/// A text that is not the name of a [`Region`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown region {name:?}; the regions are {}", Region::ALL.map(Region::as_str).join(", "))]
pub struct UnknownRegion {
    /// The text.
    pub name: String,
}

/// A region and the part of a map that lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegionShare {
    /// The region.
    #[serde(rename = "name")]
    pub region: Region,
    /// Its share of the sum over the map, 0 to 1. A map without differences has 1/9 everywhere.
    pub share: f64,
}

impl Region {
    /// All regions, row by row.
    pub const ALL: [Self; PARTS * PARTS] = [
        Self::TopLeft,
        Self::TopCenter,
        Self::TopRight,
        Self::CenterLeft,
        Self::Center,
        Self::CenterRight,
        Self::BottomLeft,
        Self::BottomCenter,
        Self::BottomRight,
    ];

    /// The region in `row` and `column`, each 0 to 2.
    ///
    /// # Panics
    ///
    /// If either is 3 or more.
    #[must_use]
    pub fn at(row: usize, column: usize) -> Self {
        assert!(row < PARTS && column < PARTS, "row {row} and column {column} of a 3x3 grid");
        Self::ALL[row * PARTS + column]
    }

    /// Row and column, each 0 to 2.
    #[must_use]
    pub fn place(self) -> (usize, usize) {
        (self as usize / PARTS, self as usize % PARTS)
    }

    /// The name that reports print.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TopLeft => "top left",
            Self::TopCenter => "top centre",
            Self::TopRight => "top right",
            Self::CenterLeft => "centre left",
            Self::Center => "centre",
            Self::CenterRight => "centre right",
            Self::BottomLeft => "bottom left",
            Self::BottomCenter => "bottom centre",
            Self::BottomRight => "bottom right",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;

    /// Reads a region's name. `center` is accepted for `centre`.
    fn from_str(name: &str) -> Result<Self, UnknownRegion> {
        let spelled = name.replace("center", "centre");
        let found = Self::ALL.into_iter().find(|region| region.as_str() == spelled);
        found.ok_or_else(|| UnknownRegion { name: name.chars().take(40).collect() })
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The nine regions with their shares of `map`, the largest share first. Equal shares stay in
/// reading order.
#[must_use]
pub fn regions(map: &HeatMap) -> Vec<RegionShare> {
    let mut sums = [0.0f64; PARTS * PARTS];
    for (place, value) in map.values().iter().enumerate() {
        let (y, x) = (place / map.width(), place % map.width());
        for (row, down) in shares(y, map.height()) {
            for (column, across) in shares(x, map.width()) {
                sums[row * PARTS + column] += f64::from(*value) * down * across;
            }
        }
    }
    let total: f64 = sums.iter().sum();
    let share = |sum: f64| if total > 0.0 { sum / total } else { 1.0 / sums.len() as f64 };
    let of_all = Region::ALL.into_iter().zip(sums);
    let mut regions: Vec<RegionShare> =
        of_all.map(|(region, sum)| RegionShare { region, share: share(sum) }).collect();
    regions.sort_by(|a, b| b.share.total_cmp(&a.share));
    regions
}

/// The parts in which the place `at` of `side` lies, with the fraction of the place in each part.
fn shares(at: usize, side: usize) -> impl Iterator<Item = (usize, f64)> {
    let [begin, end] = [at, at + 1].map(|edge| (edge * PARTS) as f64 / side as f64);
    (0..PARTS).filter_map(move |part| {
        let inside = end.min((part + 1) as f64) - begin.max(part as f64);
        (inside > 0.0).then_some((part, inside / (end - begin)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_hot_place_is_named() {
        let places = [(0, Region::TopLeft), (11, Region::CenterRight), (12, Region::BottomLeft)];
        for (place, region) in places {
            let mut values = vec![0.0; 16];
            values[place] = 1.0;
            let found = regions(&HeatMap::scaled(values, 4, 4));
            assert!(found.iter().take(4).any(|found| found.region == region), "{place}: {found:?}");
            assert!((found.iter().map(|region| region.share).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_flat_map_prefers_no_region() {
        let found = regions(&HeatMap::scaled(vec![1.0; 25], 5, 5));
        assert!(found.iter().all(|region| (region.share - 1.0 / 9.0).abs() < 1e-12));
        assert_eq!(found[0].region, Region::TopLeft);
    }

    #[test]
    fn borders_between_regions_are_shared() {
        // The second of four columns lies to a third in the left and to two thirds in the middle.
        assert_eq!(shares(1, 4).map(|(part, _)| part).collect::<Vec<_>>(), [0, 1]);
        let parts: Vec<f64> = shares(1, 4).map(|(_, share)| share).collect();
        assert!((parts[0] - 1.0 / 3.0).abs() < 1e-12 && (parts[1] - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_region_is_read_from_the_name_that_it_is_written_as() {
        for region in Region::ALL {
            let (row, column) = region.place();
            assert_eq!(Region::at(row, column), region);
            let american = region.to_string().replace("centre", "center");
            assert_eq!([region.as_str(), &american].map(str::parse), [Ok(region), Ok(region)]);
        }
        assert!(
            "the left paw".parse::<Region>().is_err_and(|e| e.to_string().contains("top left"))
        );
    }
}
