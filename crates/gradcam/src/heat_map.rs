//! Maps over a picture, with values from 0 to 1.

use cifake_eval::metrics::{Bootstrap, Metric};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Keeps a constant map from being divided by 0.
const TINY: f32 = 1e-7;
/// Standard deviation of the bump of the center prior, as a share of a side.
const PRIOR: f32 = 0.25;

/// The weight of each place of a picture, `[height, width]`, 0 to 1. A map has at least one place.
///
/// Deserialization refuses what [`new`](Self::new) refuses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct HeatMap {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

/// The fields of a serialized map before they are checked.
#[derive(Deserialize)]
struct Unchecked {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl TryFrom<Unchecked> for HeatMap {
    type Error = Error;

    fn try_from(map: Unchecked) -> Result<Self, Error> {
        Self::new(map.values, map.height, map.width)
    }
}

impl HeatMap {
    /// The map of `values`, row by row, which are not scaled.
    ///
    /// # Errors
    ///
    /// [`Error::MapForm`] unless there are `height * width` values, at least one, each from 0 to 1.
    pub fn new(values: Vec<f32>, height: usize, width: usize) -> Result<Self, Error> {
        let n_values = values.len();
        let has_form = n_values > 0 && height.checked_mul(width) == Some(n_values);
        if has_form && values.iter().all(|value| (0.0..=1.0).contains(value)) {
            return Ok(Self { values, height, width });
        }
        Err(Error::MapForm { n_values, height, width })
    }

    /// Scales `values` so that the least is 0 and the largest 1: `(x - min) / (1e-7 + max(x - min))`.
    /// If all values are equal, the map is 0 everywhere.
    ///
    /// # Panics
    ///
    /// If there are not `height * width` values, or none.
    #[must_use]
    pub fn scaled(values: Vec<f32>, height: usize, width: usize) -> Self {
        assert!(!values.is_empty() && values.len() == height * width, "one value a place");
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let most = values.iter().map(|x| x - least).fold(0.0, f32::max);
        let scale = |x: f32| if most > 0.0 { (x - least) / (TINY + most) } else { 0.0 };
        Self { values: values.into_iter().map(scale).collect(), height, width }
    }

    /// A map of independent uniform values: a control that every method should beat.
    #[must_use]
    pub fn random(height: usize, width: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self::scaled((0..height * width).map(|_| rng.random()).collect(), height, width)
    }

    /// A Gaussian bump in the middle, where subjects tend to be: a control, too.
    #[must_use]
    pub fn center_prior(height: usize, width: usize) -> Self {
        let offset = |at: usize, side: usize| (at as f32 + 0.5) / side as f32 - 0.5;
        let bump = |place: usize| {
            let [y, x] = [offset(place / width, height), offset(place % width, width)];
            (-(x * x + y * y) / (2.0 * PRIOR * PRIOR)).exp()
        };
        Self::scaled((0..height * width).map(bump).collect(), height, width)
    }

    /// The values row by row.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether the map is 0 everywhere: the method found no support for its target.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.values.iter().all(|x| *x == 0.0)
    }

    /// The map at another size, interpolated bilinearly between the centers of places.
    ///
    /// # Panics
    ///
    /// If a side is 0.
    #[must_use]
    pub fn resized(&self, height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "a map has at least one place");
        let rows: Vec<_> = (0..height).map(|y| neighbors(y, height, self.height)).collect();
        let columns: Vec<_> = (0..width).map(|x| neighbors(x, width, self.width)).collect();
        let mut values = Vec::with_capacity(height * width);
        for &(top, bottom, down) in &rows {
            for &(left, right, across) in &columns {
                let at = |y: usize, x: usize| self.values[y * self.width + x];
                let mix = |a: f32, b: f32, share: f32| a + share * (b - a);
                let upper = mix(at(top, left), at(top, right), across);
                let lower = mix(at(bottom, left), at(bottom, right), across);
                values.push(mix(upper, lower, down));
            }
        }
        Self { values, height, width }
    }

    /// The map mirrored left to right.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let rows = self.values.chunks_exact(self.width);
        Self { values: rows.flat_map(|row| row.iter().rev().copied()).collect(), ..*self }
    }

    /// The mean of maps of one size, scaled again.
    ///
    /// # Panics
    ///
    /// If there is no map, or their sizes differ.
    #[must_use]
    pub fn mean(maps: &[Self]) -> Self {
        let (height, width) = (maps[0].height, maps[0].width);
        let mut sums = vec![0.0; height * width];
        for map in maps {
            assert_eq!((map.height, map.width), (height, width), "maps of one size");
            sums.iter_mut().zip(&map.values).for_each(|(sum, x)| *sum += x / maps.len() as f32);
        }
        Self::scaled(sums, height, width)
    }

    /// The places from the strongest to the weakest; equal ones in reading order.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.values.len()).collect();
        places.sort_by(|&a, &b| self.values[b].total_cmp(&self.values[a]).then(a.cmp(&b)));
        places
    }
}

/// The two places of `n_old` between which place `at` of `n_new` lies, and how far along.
fn neighbors(at: usize, n_new: usize, n_old: usize) -> (usize, usize, f32) {
    let position = (at as f32 + 0.5) * n_old as f32 / n_new as f32 - 0.5;
    let position = position.clamp(0.0, (n_old - 1) as f32);
    let first = position.floor() as usize;
    (first, (first + 1).min(n_old - 1), position - first as f32)
}

/// Spearman's rank correlation of two maps of one size, -1 to 1. It is 0 if either map is flat.
///
/// # Panics
///
/// If the sizes differ.
#[must_use]
pub fn rank_correlation(a: &HeatMap, b: &HeatMap) -> f64 {
    assert_eq!((a.height, a.width), (b.height, b.width), "maps of one size");
    let [a, b] = [a, b].map(|map| mean_ranks(&map.values));
    let mean = (a.len() - 1) as f64 / 2.0;
    let product =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 { product(&a, &b) / scale } else { 0.0 }
}

/// Mean [`rank_correlation`] of maps of the same pictures, with its interval.
///
/// The sanity check of Adebayo et al. (2018, "Sanity checks for saliency maps", arXiv 1810.03292)
/// compares maps of a trained model with maps of the same model with random weights. Their
/// correlation should be near that of maps of different pictures. A method whose maps stay the same
/// shows edges of the picture and nothing that was learned.
///
/// # Errors
///
/// [`Error::Counts`] if the numbers of maps differ, or there are none.
///
/// # Panics
///
/// If the sizes of two maps of a picture differ.
pub fn mean_rank_correlation(
    maps: &[HeatMap],
    others: &[HeatMap],
    bootstrap: &Bootstrap,
) -> Result<Metric, Error> {
    let n = maps.len();
    if n == 0 || others.len() != n {
        return Err(Error::Counts { images: n, targets: n, maps: others.len() });
    }
    let found: Vec<f64> = maps.iter().zip(others).map(|(a, b)| rank_correlation(a, b)).collect();
    let mean = |counts: &[u32]| {
        [found.iter().zip(counts).map(|(x, &count)| x * f64::from(count)).sum::<f64>() / n as f64]
    };
    let [value] = mean(&vec![1; n]);
    let (low, high) = bootstrap.intervals(n, mean)[0].unwrap_or((value, value));
    Ok(Metric { value, low, high })
}

/// The rank of each value. Equal values share the mean of their ranks.
fn mean_ranks(values: &[f32]) -> Vec<f64> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in places.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (group.len() - 1) as f64 / 2.0;
        group.iter().for_each(|&place| ranks[place] = rank);
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_map_is_flat_and_any_other_reaches_from_0_to_1() {
        assert!(HeatMap::scaled(vec![3.0; 6], 2, 3).is_flat());
        let map = HeatMap::scaled(vec![-1.0, 0.0, 3.0], 1, 3);
        assert!((map.values()[1] - 0.25).abs() < 1e-6 && map.values()[2] > 0.999_999);
        assert_eq!(map.values()[0], 0.0);
    }

    #[test]
    fn enlarging_is_linear_between_centers() {
        let map = HeatMap::new(vec![0.0, 1.0], 1, 2).expect("two places");
        assert_eq!(map.resized(1, 4).values, [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(map.resized(3, 2).values, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(map.mirrored().values, [1.0, 0.0]);
    }

    #[test]
    fn ranks_agree_with_the_formula() {
        let map = |values: &[f32]| HeatMap { values: values.to_vec(), height: 1, width: 4 };
        let a = map(&[0.1, 0.2, 0.3, 0.4]);
        assert!((rank_correlation(&a, &map(&[0.0, 0.1, 0.8, 0.9])) - 1.0).abs() < 1e-12);
        assert!((rank_correlation(&a, &map(&[4.0, 3.0, 2.0, 1.0])) + 1.0).abs() < 1e-12);
        // scipy.stats.spearmanr([1, 2, 3, 4], [1, 1, 0, 2]) = 0.316228
        assert!((rank_correlation(&a, &map(&[1.0, 1.0, 0.0, 2.0])) - 0.316_228).abs() < 1e-6);
        assert_eq!(rank_correlation(&a, &map(&[1.0; 4])), 0.0);
        let maps = [a.clone(), a.clone()];
        let others = [a.clone(), map(&[1.0; 4])];
        let mean = mean_rank_correlation(&maps, &others, &Bootstrap::new(1)).expect("two each");
        assert!((mean.value - 0.5).abs() < 1e-12 && mean.low < 0.1 && mean.high > 0.9, "{mean:?}");
        assert!(mean_rank_correlation(&maps, &others[..1], &Bootstrap::new(1)).is_err());
    }

    /// `{values: [], height: 3, width: 3}` reached `resized` and read beyond its values.
    #[test]
    fn what_is_not_a_map_is_not_deserialized() {
        let read = |json: &str| serde_json::from_str::<HeatMap>(json);
        for json in [
            r#"{"values": [], "height": 3, "width": 3}"#,
            r#"{"values": [], "height": 0, "width": 3}"#,
            r#"{"values": [0.5, 0.5], "height": 1, "width": 3}"#,
            r#"{"values": [0.5], "height": 18446744073709551615, "width": 18446744073709551615}"#,
            r#"{"values": [1.5], "height": 1, "width": 1}"#,
            r#"{"values": [-0.5], "height": 1, "width": 1}"#,
            r#"{"values": [1e39], "height": 1, "width": 1}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        assert!(HeatMap::new(vec![f32::NAN], 1, 1).is_err());
        let map = HeatMap::scaled(vec![0.0, 2.0, 1.0], 1, 3);
        let json = serde_json::to_string(&map).expect("plain data");
        assert_eq!(read(&json).expect("as written"), map);
    }

    #[test]
    fn the_center_prior_falls_off_from_the_middle() {
        let map = HeatMap::center_prior(5, 5);
        assert_eq!(map.ranking()[0], 12);
        assert_eq!(map.values()[0], 0.0);
    }
}
