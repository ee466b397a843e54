//! Where a map is strong, in words.

use serde::{Deserialize, Serialize};

use crate::HeatMap;

/// Rows and columns into which a picture is parted.
const PARTS: usize = 3;

/// Names of the nine regions of a picture, in reading order.
pub const REGIONS: [&str; PARTS * PARTS] = [
    "top left",
    "top centre",
    "top right",
    "centre left",
    "centre",
    "centre right",
    "bottom left",
    "bottom centre",
    "bottom right",
];

/// A ninth of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// One of [`REGIONS`].
    pub name: String,
    /// Its share of the whole map: 1/9 where the map does not tell places apart.
    pub share: f64,
}

/// The nine regions of a picture from the strongest to the weakest; equal ones in reading order.
#[must_use]
pub fn regions(map: &HeatMap) -> Vec<Region> {
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
    let region =
        |(at, sum): (usize, &f64)| Region { name: REGIONS[at].to_owned(), share: share(*sum) };
    let mut regions: Vec<Region> = sums.iter().enumerate().map(region).collect();
    regions.sort_by(|a, b| b.share.total_cmp(&a.share));
    regions
}

/// Which parts the place `at` of `side` lies in, and how much of it: a place may lie on a border.
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
        for (place, name) in [(0, "top left"), (11, "centre right"), (12, "bottom left")] {
            let mut values = vec![0.0; 16];
            values[place] = 1.0;
            let found = regions(&HeatMap::scaled(values, 4, 4));
            assert!(found.iter().take(4).any(|region| region.name == name), "{place}: {found:?}");
            assert!((found.iter().map(|region| region.share).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_flat_map_prefers_no_region() {
        let found = regions(&HeatMap::scaled(vec![1.0; 25], 5, 5));
        assert!(found.iter().all(|region| (region.share - 1.0 / 9.0).abs() < 1e-12));
        assert_eq!(found[0].name, "top left");
    }

    #[test]
    fn borders_between_regions_are_shared() {
        // The second of four columns lies to a third in the left and to two thirds in the middle.
        assert_eq!(shares(1, 4).map(|(part, _)| part).collect::<Vec<_>>(), [0, 1]);
        let parts: Vec<f64> = shares(1, 4).map(|(_, share)| share).collect();
        assert!((parts[0] - 1.0 / 3.0).abs() < 1e-12 && (parts[1] - 2.0 / 3.0).abs() < 1e-12);
    }
}
