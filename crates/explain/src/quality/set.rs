//! Agreement of sets of artifacts.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::Artifact;

/// Agreement of two sets of artifacts, 0 to 1.
///
/// All four values are 1 for two empty sets, since a REAL picture has no artifacts. They are 0 if only
/// one set is empty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SetAgreement {
    /// Share of the found artifacts that the reference names, too.
    pub precision: f64,
    /// Share of the reference that was found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Intersection over union: the first measure of the contest.
    pub iou: f64,
}

impl SetAgreement {
    /// Compares `found` with `reference`. An artifact that is named twice counts once.
    #[must_use]
    pub fn new(found: &[Artifact], reference: &[Artifact]) -> Self {
        let [found, reference] =
            [found, reference].map(|artifacts| artifacts.iter().copied().collect::<HashSet<_>>());
        if found.is_empty() && reference.is_empty() {
            return Self { precision: 1.0, recall: 1.0, f1: 1.0, iou: 1.0 };
        }
        let n_both = found.intersection(&reference).count();
        let n_all = found.len() + reference.len();
        let share = |n: usize, of: usize| if of == 0 { 0.0 } else { n as f64 / of as f64 };
        Self {
            precision: share(n_both, found.len()),
            recall: share(n_both, reference.len()),
            f1: share(2 * n_both, n_all),
            iou: share(n_both, n_all - n_both),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn artifacts(places: &[usize]) -> Vec<Artifact> {
        places.iter().filter_map(|&at| Artifact::all().nth(at)).collect()
    }

    fn agreement(found: &[usize], reference: &[usize]) -> [f64; 4] {
        let a = SetAgreement::new(&artifacts(found), &artifacts(reference));
        [a.precision, a.recall, a.f1, a.iou]
    }

    #[test]
    fn shares_are_those_counted_by_hand() {
        // Found 1 2 3 4, wanted 3 4 5: two in both, five in either.
        assert_eq!(agreement(&[1, 2, 3, 4], &[3, 4, 5]), [0.5, 2.0 / 3.0, 4.0 / 7.0, 0.4]);
        assert_eq!(agreement(&[7, 7, 7], &[7]), [1.0; 4]);
        assert_eq!(agreement(&[1], &[2]), [0.0; 4]);
    }

    #[test]
    fn two_empty_sets_agree_and_one_does_not() {
        assert_eq!(agreement(&[], &[]), [1.0; 4]);
        assert_eq!(agreement(&[], &[1]), [0.0; 4]);
        assert_eq!(agreement(&[1], &[]), [0.0; 4]);
    }

    proptest! {
        #[test]
        fn exchanging_the_sets_exchanges_precision_and_recall(
            a in prop::collection::vec(0usize..70, 0..8),
            b in prop::collection::vec(0usize..70, 0..8),
        ) {
            let [precision, recall, f1, iou] = agreement(&a, &b);
            prop_assert_eq!(agreement(&b, &a), [recall, precision, f1, iou]);
            prop_assert!(iou <= f1 && f1 <= precision.max(recall));
        }
    }
}
