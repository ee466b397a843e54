//! In which order an epoch visits the training set.

use crate::augment::sample_key;

/// Purpose of the draw, apart from those of the augmentation.
const SHUFFLE: u64 = 1;

/// A permutation of `0..n_samples`, a function of the seed and the epoch.
pub(crate) fn epoch_order(n_samples: usize, seed: u64, epoch: usize) -> Vec<usize> {
    cifake_optim::epoch_order(n_samples, sample_key(seed, epoch, 0, SHUFFLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of earlier versions, on which checkpoints depend.
    #[test]
    fn an_epoch_has_the_order_that_it_always_had() {
        use rand::seq::SliceRandom;
        let expected = |seed, epoch| {
            let mut order: Vec<usize> = (0..100).collect();
            order.shuffle(&mut crate::augment::sample_rng(seed, epoch, 0, 1));
            order
        };
        for [seed, epoch] in [[1, 0], [1, 1], [7, 30]] {
            assert_eq!(epoch_order(100, seed as u64, epoch), expected(seed as u64, epoch));
        }
        assert_ne!(epoch_order(100, 1, 0), epoch_order(100, 1, 1));
        assert_ne!(epoch_order(100, 1, 0), epoch_order(100, 2, 0));
    }
}
