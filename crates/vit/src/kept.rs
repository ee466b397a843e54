//! Stochastic depth: a residual branch is left out for some samples of a batch.

use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::VitConfig;

/// The branches of a block that a batch takes: a factor a sample, `[batch]`, for attention and for the MLP; `None` is
/// 1. A branch that is left out has the factor 0, one that is taken `1 / (1 - rate)`.
pub type Kept = [Option<Tensor<1>>; 2];

impl VitConfig {
    /// The branches of each block that a batch takes at the rates of [`drop_path`](Self::drop_path). `seeds` holds a
    /// number a sample, so that the draw for a sample does not depend on its neighbors. Empty at a rate of 0.
    #[must_use]
    pub fn draw_kept(&self, seeds: &[u64], device: &Device) -> Vec<Kept> {
        if self.drop_path == 0.0 {
            return Vec::new();
        }
        let mut rngs: Vec<_> = seeds.iter().map(|&seed| ChaCha8Rng::seed_from_u64(seed)).collect();
        let last = (self.depth - 1).max(1) as f64;
        let mut kept = Vec::with_capacity(self.depth);
        for at in 0..self.depth {
            let rate = self.drop_path * at as f64 / last;
            kept.push([(); 2].map(|()| {
                let factor = |rng: &mut ChaCha8Rng| match rng.random::<f64>() < rate {
                    true => 0.0,
                    false => (1.0 / (1.0 - rate)) as f32,
                };
                let factors: Vec<f32> = rngs.iter_mut().map(factor).collect();
                Some(Tensor::from_data(TensorData::new(factors, [seeds.len()]), device))
            }));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_drawn_alike_in_every_batch_and_keeps_its_expectation() {
        let config = VitConfig { drop_path: 0.4, depth: 3, ..VitConfig::small_32() };
        let device = Device::flex();
        let draw = |seeds: &[u64]| -> Vec<Vec<f32>> {
            let kept = config.draw_kept(seeds, &device).into_iter().flatten().flatten();
            kept.map(|factors| factors.into_data().try_to_vec().expect("floats")).collect()
        };
        let (alone, both) = (draw(&[7]), draw(&[3, 7]));
        assert_eq!(alone.len(), 6);
        assert!(alone.iter().zip(&both).all(|(alone, both)| alone[0] == both[1]));
        let many: Vec<u64> = (0..4000).collect();
        for (branch, factors) in draw(&many).iter().enumerate() {
            let left_out = factors.iter().filter(|&&factor| factor == 0.0).count() as f64 / 4000.0;
            let rate = 0.2 * (branch / 2) as f64;
            assert!((left_out - rate).abs() < 0.03, "{branch}: {left_out}");
            let mean = factors.iter().sum::<f32>() / 4000.0;
            assert!((mean - 1.0).abs() < 0.04, "{branch}: {mean}");
        }
        assert!(VitConfig::small_32().draw_kept(&[1], &device).is_empty());
    }
}
