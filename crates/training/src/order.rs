//! In which order an epoch visits the training set.

use rand::seq::SliceRandom;

use crate::augment::sample_rng;

/// Purpose of the draw, apart from those of the augmentation.
const SHUFFLE: u64 = 1;

/// A permutation of `0..n_samples`, a function of the seed and the epoch.
pub(crate) fn epoch_order(n_samples: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n_samples).collect();
    order.shuffle(&mut sample_rng(seed, epoch, 0, SHUFFLE));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_visits_every_sample_once_in_an_order_of_its_own() {
        let order = epoch_order(100, 1, 0);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order, epoch_order(100, 1, 0));
        assert_ne!(order, epoch_order(100, 1, 1));
        assert_ne!(order, epoch_order(100, 2, 0));
    }
}
