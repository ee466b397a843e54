//! Pictures of a test set that are almost the same as one of the training set.

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;

/// Side of the pictures that are compared.
const SIDE: usize = 32;
/// Values of a picture.
const N_VALUES: usize = SIDE * SIDE * 3;
/// Values of the first summary: means of a 2x2 grid.
const N_COARSE: usize = 2 * 2 * 3;
/// Values of the second: means of an 8x8 grid.
const N_FINE: usize = 8 * 8 * 3;
/// The error by rounding of a squared distance of summaries, at most: no pair is lost to it.
const SLACK: f32 = 1e-4;

/// A test picture and a training picture whose pixels are correlated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearDuplicate {
    /// Position among the test pictures.
    pub test: usize,
    /// Position among the training pictures.
    pub train: usize,
    /// Pearson correlation of their 3072 values, 1 for exact duplicates.
    pub correlation: f64,
}

/// All pairs of a test and a training picture whose correlation over all pixels and channels is
/// above `threshold`, ordered by test, then by training picture.
///
/// `test` and `train` are 32x32 RGB pictures one after another, 3072 bytes each, as
/// [`load_pixels`](cifake::load_pixels) returns them. A picture of one flat colour value has no
/// correlation with any other and is never reported. The result is exact: of two pictures brought
/// to mean 0 and length 1, the squared distance is `2 - 2 correlation`, and that of their means
/// over a grid is never larger; so pairs whose 2x2 means, then 8x8 means, are too far apart are
/// left out before all values are compared. The work is done in the rayon pool of the caller:
/// 20,000 against 100,000 pictures take about twenty seconds on two cores; the published CIFAKE has
/// 381 such pairs between its test and training pictures, 378 of them exact copies.
///
/// # Panics
/// If `test` or `train` is no whole number of pictures.
#[must_use]
pub fn near_duplicates(test: &[u8], train: &[u8], threshold: f64) -> Vec<NearDuplicate> {
    let limit = 2.0 - 2.0 * threshold as f32 + SLACK;
    let candidates = Summaries::of(train);
    let tested = Summaries::of(test);
    let picture = |pixels: &[u8], index: usize| -> Vec<u8> {
        pixels[index * N_VALUES..(index + 1) * N_VALUES].to_vec()
    };
    (0..tested.coarse.len())
        .into_par_iter()
        .flat_map_iter(|test_idx| {
            let ours = picture(test, test_idx);
            let mut pairs = Vec::new();
            for train_idx in candidates.near(&tested, test_idx, limit) {
                let theirs = &train[train_idx * N_VALUES..(train_idx + 1) * N_VALUES];
                let correlation = correlation(&ours, theirs);
                if correlation > threshold {
                    pairs.push(NearDuplicate { test: test_idx, train: train_idx, correlation });
                }
            }
            pairs
        })
        .collect()
}

/// Pearson correlation of two pictures of the same size; NaN if one is flat.
fn correlation(first: &[u8], second: &[u8]) -> f64 {
    let n = first.len() as f64;
    let [mut sum, mut sum_other, mut squares, mut squares_other, mut products] = [0_u64; 5];
    for (a, b) in first.iter().zip(second) {
        let (a, b) = (u64::from(*a), u64::from(*b));
        sum += a;
        sum_other += b;
        squares += a * a;
        squares_other += b * b;
        products += a * b;
    }
    let [sum, sum_other] = [sum as f64, sum_other as f64];
    let variance = n * squares as f64 - sum * sum;
    let variance_other = n * squares_other as f64 - sum_other * sum_other;
    (n * products as f64 - sum * sum_other) / (variance * variance_other).sqrt()
}

/// Grid means of standardized pictures, scaled so that distances are those of the pictures'
/// projections.
struct Summaries {
    coarse: Vec<[f32; N_COARSE]>,
    fine: Vec<[f32; N_FINE]>,
}

impl Summaries {
    fn of(pixels: &[u8]) -> Self {
        assert!(
            pixels.len().is_multiple_of(N_VALUES),
            "{} bytes are no whole number of 32x32 RGB pictures",
            pixels.len()
        );
        let (coarse, fine) = pixels
            .par_chunks_exact(N_VALUES)
            .map(|picture| {
                let (mean, length) = mean_and_length(picture);
                (grid(picture, mean, length), grid(picture, mean, length))
            })
            .unzip();
        Self { coarse, fine }
    }

    /// The pictures of `self` that may be within the squared distance `limit` of `other`'s.
    fn near<'a>(
        &'a self,
        other: &'a Self,
        other_idx: usize,
        limit: f32,
    ) -> impl Iterator<Item = usize> + 'a {
        let (coarse, fine) = (&other.coarse[other_idx], &other.fine[other_idx]);
        self.coarse.iter().enumerate().filter_map(move |(index, candidate)| {
            let is_near = squared_distance(coarse, candidate) <= limit
                && squared_distance(fine, &self.fine[index]) <= limit;
            is_near.then_some(index)
        })
    }
}

/// Mean of all values and the length of the vector of differences from it.
fn mean_and_length(picture: &[u8]) -> (f64, f64) {
    let n = picture.len() as f64;
    let mean = picture.iter().map(|value| u64::from(*value)).sum::<u64>() as f64 / n;
    let squares = picture.iter().map(|value| u64::from(*value).pow(2)).sum::<u64>() as f64;
    (mean, (squares - n * mean * mean).max(0.0).sqrt())
}

/// The standardized picture projected on pictures that are constant in the cells of a grid of
/// `N / 3` square cells; NaN for a flat picture, which is then near to none.
fn grid<const N: usize>(picture: &[u8], mean: f64, length: f64) -> [f32; N] {
    let n_cells = (N / 3).isqrt();
    let cell = SIDE / n_cells;
    let mut sums = [0_u32; N];
    for (at, pixel) in picture.chunks_exact(3).enumerate() {
        let (row, column) = (at / SIDE / cell, at % SIDE / cell);
        for (channel, value) in pixel.iter().enumerate() {
            sums[(row * n_cells + column) * 3 + channel] += u32::from(*value);
        }
    }
    let n_pixels = (cell * cell) as f64;
    sums.map(|sum| ((f64::from(sum) - n_pixels * mean) / (length * n_pixels.sqrt())) as f32)
}

fn squared_distance<const N: usize>(first: &[f32; N], second: &[f32; N]) -> f32 {
    // Four partial sums let the compiler use vector instructions.
    let mut sums = [0.0_f32; 4];
    for (a, b) in first.as_chunks::<4>().0.iter().zip(second.as_chunks::<4>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Pictures of coarse blocks with noise: some correlation between all of them.
    fn pictures(n: usize, seed: u64) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n)
            .flat_map(|_| {
                let levels: [u8; 12] = rng.random();
                let noise: Vec<u8> = (0..N_VALUES).map(|_| rng.random_range(0..20)).collect();
                noise.into_iter().enumerate().map(move |(at, noise)| {
                    let (row, column) = (at / 3 / SIDE / 16, at / 3 % SIDE / 16);
                    levels[(row * 2 + column) * 3 + at % 3] / 2 + noise
                })
            })
            .collect()
    }

    #[test]
    fn the_pairs_are_those_that_a_comparison_of_all_finds() {
        let train = pictures(40, 1);
        let mut test = pictures(25, 2);
        // An exact copy, a brighter one with more contrast, and one with noise.
        test[..N_VALUES].copy_from_slice(&train[..N_VALUES]);
        for at in 0..N_VALUES {
            test[N_VALUES + at] = train[N_VALUES + at] / 2 * 3 + 10;
            test[2 * N_VALUES + at] = train[2 * N_VALUES + at] ^ (at % 16) as u8;
        }
        for threshold in [0.99, 0.9, 0.5] {
            let mut expected = Vec::new();
            for (i, ours) in test.chunks(N_VALUES).enumerate() {
                for (j, theirs) in train.chunks(N_VALUES).enumerate() {
                    if correlation(ours, theirs) > threshold {
                        expected.push((i, j));
                    }
                }
            }
            let found = near_duplicates(&test, &train, threshold);
            let found: Vec<_> = found.iter().map(|pair| (pair.test, pair.train)).collect();
            assert_eq!(found, expected);
            assert!(found.starts_with(&[(0, 0)]) && found.contains(&(1, 1)));
        }
    }

    #[test]
    fn the_correlation_of_a_copy_is_one_and_of_a_negative_minus_one() {
        let picture = pictures(1, 3);
        let negative: Vec<u8> = picture.iter().map(|value| 255 - value).collect();
        assert!((correlation(&picture, &picture) - 1.0).abs() < 1e-12);
        assert!((correlation(&picture, &negative) + 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_flat_picture_is_near_to_none() {
        let flat = vec![7; N_VALUES];
        assert!(near_duplicates(&flat, &flat, 0.9).is_empty());
        assert!(near_duplicates(&flat, &pictures(2, 4), -1.0).is_empty());
    }
}
