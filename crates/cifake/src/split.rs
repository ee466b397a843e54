//! Seeded choices among samples.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use crate::Label;

/// Positions of the samples to train on and to validate on, each in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationSplit {
    /// The pictures to train on.
    pub train: Vec<usize>,
    /// The pictures that choose the best checkpoint.
    pub validation: Vec<usize>,
}

/// Sets `fraction` of the samples of each label aside for validation; the same `seed` sets the same
/// ones aside.
///
/// Samples of the same value in `groups` (pictures with the same pixels, by their hash) stay on
/// one side, that of the label that the first of them has; so a share may miss its size by a part
/// of a group.
///
/// # Panics
/// If `groups` and `labels` have different lengths, or `fraction` is outside `[0, 1]`.
#[must_use]
pub fn validation_split(
    groups: &[u64],
    labels: &[Label],
    fraction: f64,
    seed: u64,
) -> ValidationSplit {
    assert_eq!(groups.len(), labels.len(), "each sample has a group and a label");
    assert!((0.0..=1.0).contains(&fraction), "{fraction} is no fraction");
    let mut positions: HashMap<u64, usize> = HashMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let position = *positions.entry(*group).or_insert(members.len());
        if position == members.len() {
            members.push(Vec::new());
        }
        members[position].push(index);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut split = ValidationSplit { train: Vec::new(), validation: Vec::new() };
    for label in Label::ALL {
        let mut of_label: Vec<_> =
            members.iter().filter(|members| labels[members[0]] == label).collect();
        of_label.shuffle(&mut rng);
        let n_samples: usize = of_label.iter().map(|members| members.len()).sum();
        let wanted = (n_samples as f64 * fraction).round() as usize;
        let mut taken = 0;
        for members in of_label {
            if taken + members.len() <= wanted {
                taken += members.len();
                split.validation.extend(members);
            } else {
                split.train.extend(members);
            }
        }
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    split
}

/// Positions of at most `limit` samples, half of each label, in ascending order; the same `seed`
/// draws the same ones.
///
/// If a label has fewer samples than half of `limit`, all of them are taken and the other label
/// fills up; an odd one is REAL.
#[must_use]
pub fn balanced_sample(labels: &[Label], limit: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut of_label = Label::ALL.map(|label| {
        let of_label = labels.iter().enumerate().filter(|(_, other)| **other == label);
        let mut indices: Vec<_> = of_label.map(|(index, _)| index).collect();
        indices.shuffle(&mut rng);
        indices
    });
    let [n_real, n_fake] = [of_label[0].len(), of_label[1].len()];
    let fake = n_fake.min((limit / 2).max(limit.saturating_sub(n_real)));
    of_label[1].truncate(fake);
    of_label[0].truncate(limit - fake);
    let mut sample = of_label.concat();
    sample.sort_unstable();
    sample
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(indices: &[usize], labels: &[Label], label: Label) -> usize {
        indices.iter().filter(|index| labels[**index] == label).count()
    }

    #[test]
    fn without_duplicates_each_label_gives_its_exact_share() {
        let labels: Vec<_> = (0..100).map(|i| Label::ALL[usize::from(i < 60)]).collect();
        let groups: Vec<_> = (0..100).collect();
        let split = validation_split(&groups, &labels, 0.1, 7);
        assert_eq!(count(&split.validation, &labels, Label::Real), 4);
        assert_eq!(count(&split.validation, &labels, Label::Fake), 6);
        assert_eq!(split, validation_split(&groups, &labels, 0.1, 7));
        assert_ne!(split, validation_split(&groups, &labels, 0.1, 8));
    }

    #[test]
    fn a_sample_is_balanced_as_far_as_the_labels_allow() {
        let labels: Vec<_> = (0..20).map(|i| Label::ALL[usize::from(i < 3)]).collect();
        let drawn = |limit| {
            let sample = balanced_sample(&labels, limit, 1);
            assert!(sample.is_sorted());
            (count(&sample, &labels, Label::Real), count(&sample, &labels, Label::Fake))
        };
        assert_eq!(drawn(0), (0, 0));
        assert_eq!(drawn(4), (2, 2));
        assert_eq!(drawn(5), (3, 2));
        assert_eq!(drawn(10), (7, 3));
        assert_eq!(drawn(19), (16, 3));
        assert_eq!(drawn(100), (17, 3));
    }

    proptest! {
        #[test]
        fn a_split_parts_all_samples_and_no_group(
            samples in prop::collection::vec((0_u64..40, 0_usize..2), 0..200),
            fraction in 0.0..=1.0,
            seed: u64,
        ) {
            let groups: Vec<_> = samples.iter().map(|(group, _)| *group).collect();
            let labels: Vec<_> = samples.iter().map(|(_, label)| Label::ALL[*label]).collect();
            let split = validation_split(&groups, &labels, fraction, seed);
            let mut all = [split.train.clone(), split.validation.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..groups.len()).collect::<Vec<_>>());
            for index in &split.validation {
                prop_assert!(split.train.iter().all(|other| groups[*other] != groups[*index]));
            }
        }
    }
}
