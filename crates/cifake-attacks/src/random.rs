//! Random draws, each a function of (seed, sample id, restart): never of who else is in the batch.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The generator of one sample in one restart.
pub(crate) fn sample_rng(seed: u64, id: u64, restart: usize) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    for (chunk, word) in key.chunks_exact_mut(8).zip([seed, id, restart as u64]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// `len` values, uniform in `[-bound, bound]`.
pub(crate) fn uniform(rng: &mut impl Rng, len: usize, bound: f32) -> Vec<f32> {
    (0..len).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect()
}

/// `len` values of the standard normal distribution.
pub(crate) fn normal(rng: &mut impl Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| StandardNormal.sample(rng)).collect()
}
