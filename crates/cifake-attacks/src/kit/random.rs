//! Random draws, each a function of (seed, sample id, restart), whatever else is in the batch.

use std::convert::Infallible;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng, TryRng};
use rand_distr::{Distribution, StandardNormal};

/// The random generator of one sample in one restart.
///
/// It also implements the traits of the crate `rand`.
///
/// ```
/// use cifake_attacks::kit::SampleRng;
///
/// let draw = |id| SampleRng::new(1, id, 0).uniform(3, 0.5);
/// assert_eq!(draw(7), draw(7));
/// assert_ne!(draw(7), draw(8));
/// assert!(draw(7).iter().all(|x| x.abs() <= 0.5));
/// ```
#[derive(Debug)]
pub struct SampleRng(ChaCha8Rng);

impl SampleRng {
    /// The generator of the sample `id` for `seed`, in the try number `restart`.
    #[must_use]
    pub fn new(seed: u64, id: u64, restart: usize) -> Self {
        let mut key = [0u8; 32];
        for (chunk, word) in key.chunks_exact_mut(8).zip([seed, id, restart as u64]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// `len` values, uniform in `[-bound, bound]`.
    pub fn uniform(&mut self, len: usize, bound: f32) -> Vec<f32> {
        (0..len).map(|_| bound * (2.0 * self.random::<f32>() - 1.0)).collect()
    }

    /// `len` values of the standard normal distribution.
    pub fn normal(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| StandardNormal.sample(self)).collect()
    }

    /// A whole number below `n`, each with the same probability.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.random_range(0..n)
    }
}

impl TryRng for SampleRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}
