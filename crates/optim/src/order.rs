//! The order of the samples in an epoch.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

/// A permutation of `0..n_samples` that depends on `key` alone.
///
/// The key must differ from epoch to epoch: derive it from the seed of the run and the epoch.
#[must_use]
pub fn epoch_order(n_samples: usize, key: [u8; 32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n_samples).collect();
    order.shuffle(&mut ChaCha8Rng::from_seed(key));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_orders_every_sample_once_in_a_way_of_its_own() {
        let order = epoch_order(100, [1; 32]);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order, epoch_order(100, [1; 32]));
        assert_ne!(order, epoch_order(100, [2; 32]));
    }
}
