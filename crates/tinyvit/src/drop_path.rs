//! Stochastic depth (Huang et al. 2016): a residual branch is left out for some samples of a batch.

use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// The residual branches that a batch takes: one mask `[batch]` a branch, drawn on the host.
///
/// A kept branch is scaled by `1 / keep`, so that its expectation does not depend on the rate.
#[derive(Debug, Clone, Default)]
pub struct DropPath {
    masks: Vec<Option<Tensor<1>>>,
}

impl DropPath {
    /// Every branch taken: evaluation, or a rate of 0.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// Draws the masks of a batch; `rates` holds a drop rate a branch, `sample_seeds` a seed a
    /// sample, so that what happens to a sample does not depend on who else is in its batch.
    #[must_use]
    pub fn draw(rates: &[f64], sample_seeds: &[u64], device: &Device) -> Self {
        if rates.iter().all(|&rate| rate == 0.0) {
            return Self::off();
        }
        let mut rngs: Vec<_> =
            sample_seeds.iter().map(|&seed| ChaCha8Rng::seed_from_u64(seed)).collect();
        let mut mask = |rate: f64| {
            let scale = (1.0 / (1.0 - rate)) as f32;
            let keep = rngs.iter_mut().map(|rng| if rng.random_bool(rate) { 0.0 } else { scale });
            let keep: Vec<f32> = keep.collect();
            let shape = [keep.len()];
            (rate > 0.0).then(|| Tensor::from_data(TensorData::new(keep, shape), device))
        };
        Self { masks: rates.iter().map(|&rate| mask(rate)).collect() }
    }

    /// `shortcut + branch`, the branch masked by the `idx`-th mask.
    pub(crate) fn add(&self, shortcut: Tensor<4>, branch: Tensor<4>, idx: usize) -> Tensor<4> {
        match self.masks.get(idx).and_then(Option::as_ref) {
            None => shortcut + branch,
            Some(mask) => shortcut + branch * mask.clone().reshape([-1, 1, 1, 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_masked_alike_in_every_batch() {
        let device = Device::flex();
        let branch = |seeds: &[u64]| {
            let ones = Tensor::<4>::ones([seeds.len(), 1, 1, 1], &device);
            let drop = DropPath::draw(&[0.0, 0.5, 0.5], seeds, &device);
            let sums: Vec<f32> = (0..3)
                .flat_map(|idx| {
                    let sum = drop.add(ones.clone().zeros_like(), ones.clone(), idx);
                    sum.into_data().try_to_vec::<f32>().expect("a float tensor holds floats")
                })
                .collect();
            sums
        };
        let [one, both] = [branch(&[7]), branch(&[3, 7])];
        assert_eq!(one, [both[1], both[3], both[5]]);
        assert!(both.iter().all(|&x| x == 0.0 || x == 1.0 || x == 2.0));
    }
}
