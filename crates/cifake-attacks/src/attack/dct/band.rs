//! Frequency bands of the orthonormal DCT of 8x8 blocks, which JPEG uses.

use std::f64::consts::PI;
use std::ops::RangeInclusive;

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

use crate::Error;

/// Side of a block.
const SIDE: usize = 8;

/// The frequencies `(u, v)` of a block whose sum lies in a range: 0 is the mean, 14 the finest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Band {
    sums: RangeInclusive<usize>,
}

impl Band {
    /// Frequencies whose sum is in `sums`, of 0 to 14.
    #[must_use]
    pub fn new(sums: RangeInclusive<usize>) -> Self {
        Self { sums }
    }

    /// Sums up to 4, which JPEG keeps best.
    #[must_use]
    pub fn low() -> Self {
        Self::new(0..=4)
    }

    /// Sums from 5 to 9.
    #[must_use]
    pub fn middle() -> Self {
        Self::new(5..=9)
    }

    /// Sums from 10.
    #[must_use]
    pub fn high() -> Self {
        Self::new(10..=14)
    }

    /// `delta`, `[batch, channels, height, width]`, without the frequencies outside the band.
    ///
    /// # Errors
    ///
    /// [`Error::Blocks`] if a side is no multiple of 8.
    pub fn filter(&self, delta: Tensor<4>) -> Result<Tensor<4>, Error> {
        let [batch, channels, height, width] = delta.dims();
        if !height.is_multiple_of(SIDE) || !width.is_multiple_of(SIDE) {
            return Err(Error::Blocks { height, width });
        }
        let device = delta.device();
        let [rows, columns] = [height / SIDE, width / SIDE];
        let blocks = delta
            .reshape([batch * channels * rows, SIDE, columns, SIDE])
            .swap_dims(1, 2)
            .reshape([batch * channels * rows * columns, SIDE * SIDE]);
        // Transform, mask and inverse are one symmetric matrix over the 64 values of a block.
        let filtered = blocks.matmul(self.matrix(&device));
        Ok(filtered
            .reshape([batch * channels * rows, columns, SIDE, SIDE])
            .swap_dims(1, 2)
            .reshape([batch, channels, height, width]))
    }

    /// The projection onto the band, `[64, 64]`.
    fn matrix(&self, device: &Device) -> Tensor<2> {
        let inside = |u: usize, v: usize| self.sums.contains(&(u + v));
        let table: [[f64; SIDE]; SIDE] =
            std::array::from_fn(|u| std::array::from_fn(|place| basis(u, place)));
        let frequencies = || (0..SIDE).flat_map(|u| (0..SIDE).map(move |v| (u, v)));
        let entry = |(i, j): (usize, usize), (k, l): (usize, usize)| {
            let kept = frequencies().filter(|&(u, v)| inside(u, v));
            kept.map(|(u, v)| table[u][i] * table[v][j] * table[u][k] * table[v][l]).sum::<f64>()
        };
        let places: Vec<_> = frequencies().collect();
        let values: Vec<f32> = places
            .iter()
            .flat_map(|&from| places.iter().map(move |&to| entry(from, to) as f32))
            .collect();
        Tensor::from_data(TensorData::new(values, [SIDE * SIDE; 2]), device)
    }
}

/// Value at `place` of the orthonormal DCT-II basis vector of `frequency`.
fn basis(frequency: usize, place: usize) -> f64 {
    let scale = if frequency == 0 { 1.0 } else { 2.0f64 };
    let angle = PI * (2 * place + 1) as f64 * frequency as f64 / (2 * SIDE) as f64;
    (scale / SIDE as f64).sqrt() * angle.cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::{Norm, SampleRng, values};

    fn delta() -> Tensor<4> {
        let drawn = SampleRng::new(1, 2, 3).normal(2 * 3 * 16 * 8);
        Tensor::from_data(TensorData::new(drawn, [2, 3, 16, 8]), &Device::flex())
    }

    #[test]
    fn bands_add_up_to_the_whole() {
        let parts = [Band::low(), Band::middle(), Band::high()]
            .map(|band| band.filter(delta()).expect("multiples of 8"));
        let [low, middle, high] = parts;
        let error = (low + middle + high - delta()).abs().max().into_scalar::<f32>();
        assert!(error < 1e-5, "{error}");
    }

    #[test]
    fn a_filter_applied_twice_is_the_filter() {
        let once = Band::middle().filter(delta()).expect("multiples of 8");
        let twice = Band::middle().filter(once.clone()).expect("multiples of 8");
        assert!((twice - once.clone()).abs().max().into_scalar::<f32>() < 1e-5);
        assert!(Norm::L2.sizes(once)[0] < Norm::L2.sizes(delta())[0]);
    }

    #[test]
    fn the_lowest_frequency_is_the_mean_of_each_block() {
        let means = values(Band::new(0..=0).filter(delta()).expect("multiples of 8"));
        let all = values(delta());
        // The block at row 1, column 0 of the second picture's third channel.
        let start = ((3 + 2) * 16 + 8) * 8;
        let mean = all[start..start + 64].iter().sum::<f32>() / 64.0;
        assert!(means[start..start + 64].iter().all(|x| (x - mean).abs() < 1e-5));
    }

    #[test]
    fn a_side_that_blocks_do_not_tile_is_an_error() {
        let odd = Tensor::<4>::zeros([1, 3, 8, 12], &Device::flex());
        assert!(matches!(Band::low().filter(odd), Err(Error::Blocks { height: 8, width: 12 })));
    }
}
