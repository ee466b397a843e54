//! Bicubic resampling of pictures and of tables of positions.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// The resampling of a table of positions to another side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// timm's `resample_abs_pos_embed`: a cubic with `a = -1/2` that widens where the table shrinks, so that
    /// nothing aliases; PyTorch's `bicubic` with `antialias`, and Pillow's.
    Antialiased,
    /// `interpolate_pos_encoding` of facebookresearch/dinov2: a cubic with `a = -3/4` that never widens, and a
    /// scale of `(to + 0.1) / from`.
    Dinov2,
}

/// DINOv2's offset to the new side before the division by the old one.
const DINOV2_OFFSET: f64 = 0.1;

impl Interpolation {
    /// The share of each of `from` samples in each of `to`, `[to, from]`; every row sums to 1.
    fn weights(self, from: usize, to: usize) -> Vec<Vec<f64>> {
        match self {
            Self::Antialiased => (0..to).map(|at| antialiased(from, to, at)).collect(),
            Self::Dinov2 => (0..to).map(|at| clamped(from, to, at)).collect(),
        }
    }
}

fn antialiased(from: usize, to: usize, at: usize) -> Vec<f64> {
    let scale = from as f64 / to as f64;
    let center = scale * (at as f64 + 0.5) - 0.5;
    let mut row: Vec<f64> =
        (0..from).map(|sample| cubic((sample as f64 - center) / scale.max(1.0), -0.5)).collect();
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|weight| *weight /= sum);
    row
}

/// Four samples round the center; those outside of the table are its ends.
fn clamped(from: usize, to: usize, at: usize) -> Vec<f64> {
    let center = (at as f64 + 0.5) * from as f64 / (to as f64 + DINOV2_OFFSET) - 0.5;
    let mut row = vec![0.0; from];
    for tap in -1..=2 {
        let sample = center.floor() + f64::from(tap);
        row[sample.clamp(0.0, (from - 1) as f64) as usize] += cubic(sample - center, -0.75);
    }
    row
}

/// Keys' cubic convolution kernel (1981).
fn cubic(x: f64, a: f64) -> f64 {
    match x.abs() {
        x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => a * (((x - 5.0) * x + 8.0) * x - 4.0),
        _ => 0.0,
    }
}

/// A table of `from` x `from` positions of `dim` values each as one of `to` x `to`.
///
/// # Panics
/// If the table is of another length, or empty.
pub(crate) fn resample_table(
    table: &[f32],
    [from, to]: [usize; 2],
    dim: usize,
    interpolation: Interpolation,
) -> Vec<f32> {
    assert_eq!(table.len(), from * from * dim, "a square table");
    let weights = interpolation.weights(from, to);
    let mut rows = vec![0.0f64; to * from * dim];
    for (out, weights) in rows.chunks_exact_mut(from * dim).zip(&weights) {
        for (row, weight) in table.chunks_exact(from * dim).zip(weights) {
            out.iter_mut().zip(row).for_each(|(sum, &x)| *sum += weight * f64::from(x));
        }
    }
    let mut resampled = Vec::with_capacity(to * to * dim);
    for row in rows.chunks_exact(from * dim) {
        for weights in &weights {
            let value = |at| {
                let samples = row[at..].iter().step_by(dim);
                samples.zip(weights).map(|(x, weight)| x * weight).sum::<f64>() as f32
            };
            resampled.extend((0..dim).map(value));
        }
    }
    resampled
}

/// `images`, `[batch, channels, height, width]`, brought to `side` x `side` by Pillow's bicubic filter, without
/// its rounding to whole levels. Values may leave the range of the input. Gradients pass through.
///
/// # Panics
/// If the images or `side` are empty.
#[must_use]
pub fn resize_bicubic(images: Tensor<4>, side: usize) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    assert!(height > 0 && width > 0 && side > 0, "pictures with pixels");
    let device = images.device();
    let matrix = |from: usize| {
        let weights = Interpolation::Antialiased.weights(from, side).into_iter().flatten();
        let weights: Vec<f32> = weights.map(|weight| weight as f32).collect();
        Tensor::<2>::from_data(TensorData::new(weights, [side, from]), &device)
    };
    let columns = matrix(width).transpose().unsqueeze::<4>();
    matrix(height).unsqueeze::<4>().matmul(images.matmul(columns))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};

    use super::*;

    const BOTH: [Interpolation; 2] = [Interpolation::Antialiased, Interpolation::Dinov2];

    #[test]
    fn a_constant_stays_and_rows_sum_to_one() {
        for interpolation in BOTH {
            for (from, to) in [(37, 16), (14, 24), (3, 3), (1, 5), (5, 1)] {
                for row in interpolation.weights(from, to) {
                    assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{interpolation:?}");
                }
            }
            let table = resample_table(&[1.5; 9 * 2], [3, 5], 2, interpolation);
            assert!(table.iter().all(|x| (x - 1.5).abs() < 1e-6));
        }
    }

    #[test]
    fn rows_and_columns_and_values_stay_apart() {
        // Of each position its column and ten times its row.
        let ramp = |side: usize| -> Vec<f32> {
            let value = |at: usize| [(at % side) as f32, 10.0 * (at / side) as f32];
            (0..side * side).flat_map(value).collect()
        };
        for interpolation in BOTH {
            let table = resample_table(&ramp(8), [8, 16], 2, interpolation);
            let at = |row: usize, column: usize| &table[2 * (16 * row + column)..][..2];
            for i in 5..11 {
                let expected = (i as f32 + 0.5) / 2.0 - 0.5;
                assert!((at(3, i)[0] - expected).abs() < 0.15, "{interpolation:?}");
                assert!((at(i, 3)[1] - 10.0 * expected).abs() < 1.5, "{interpolation:?}");
            }
        }
        assert_eq!(resample_table(&ramp(4), [4, 4], 2, Interpolation::Antialiased), ramp(4));
    }

    #[test]
    fn a_picture_of_its_own_size_stays() {
        let ramp = Tensor::<1, Int>::arange(0..2 * 3 * 8 * 8, &Device::flex()).float();
        let images = (ramp * 0.37).sin().reshape([2, 3, 8, 8]);
        testkit::assert_close(&resize_bicubic(images.clone(), 8), &images, 1e-6, "itself");
        assert_eq!(resize_bicubic(images, 20).dims(), [2, 3, 20, 20]);
    }
}
