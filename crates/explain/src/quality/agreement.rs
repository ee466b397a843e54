//! Agreement of two explainers on the same pictures, beside agreement by chance.

use std::collections::HashSet;

use cifake_eval::metrics::Bootstrap;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::{Control, SetAgreement, wrong_pictures};
use crate::{Artifact, Error};

/// [`SetAgreement::iou`] of two explainers, beside two controls.
///
/// Two explainers that name the same artifacts for every picture agree, too. Only agreement above the
/// controls is about the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Beside the first explainer's artifacts of another of the pictures.
    pub wrong_picture: Control,
    /// Beside as many artifacts, drawn from all that the first explainer names.
    pub shuffled: Control,
}

impl Agreement {
    /// Compares the artifacts that two explainers name, one list a picture each. A name that a list
    /// repeats counts once. Random draws depend on the seed of `bootstrap`.
    ///
    /// # Errors
    ///
    /// [`Error::ControlScores`] if the numbers of lists differ or are below two.
    pub fn new(
        first: &[Vec<Artifact>],
        second: &[Vec<Artifact>],
        bootstrap: &Bootstrap,
    ) -> Result<Self, Error> {
        let (n, n_second) = (first.len(), second.len());
        let first: Vec<Vec<Artifact>> = first.iter().map(|list| distinct(list)).collect();
        if n < 2 || n != n_second {
            return Err(Error::ControlScores { n_matched: n, n_control: n_second });
        }
        let others = wrong_pictures(n, bootstrap.seed);
        let shuffled = shuffled(&first, bootstrap.seed);
        let scores = |lists: &[Vec<Artifact>], place: &dyn Fn(usize) -> usize| -> Vec<f64> {
            (0..n).map(|i| SetAgreement::new(&lists[place(i)], &second[i]).iou).collect()
        };
        let own = scores(&first, &|i| i);
        let wrong = scores(&first, &|i| others[i]);
        let random = scores(&shuffled, &|i| i);
        Ok(Self {
            wrong_picture: Control::new(&own, &wrong, bootstrap)?,
            shuffled: Control::new(&own, &random, bootstrap)?,
        })
    }
}

/// The artifacts of `list`, each once.
fn distinct(list: &[Artifact]) -> Vec<Artifact> {
    let mut seen = HashSet::new();
    list.iter().copied().filter(|artifact| seen.insert(*artifact)).collect()
}

/// For each of `lists`, which repeat no name, as many different names, drawn from all lists together.
/// A name is as likely as it is frequent.
fn shuffled(lists: &[Vec<Artifact>], seed: u64) -> Vec<Vec<Artifact>> {
    let all: Vec<Artifact> = lists.concat();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = |list: &Vec<Artifact>| {
        let mut drawn: Vec<Artifact> = Vec::new();
        while drawn.len() < list.len() {
            // The list itself is among all, so that there are enough different names.
            let artifact = all[rng.random_range(0..all.len())];
            if !drawn.contains(&artifact) {
                drawn.push(artifact);
            }
        }
        drawn
    };
    lists.iter().map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(places: &[usize]) -> Vec<Artifact> {
        places.iter().filter_map(|&at| Artifact::all().nth(at)).collect()
    }

    #[test]
    fn two_that_look_at_the_picture_agree_on_it_alone() {
        let lists: Vec<_> = (0..40).map(|i| names(&[i, i + 1, i + 2])).collect();
        let same = Agreement::new(&lists, &lists, &Bootstrap::new(1)).expect("as many");
        assert_eq!((same.wrong_picture.matched.value, same.wrong_picture.n), (1.0, 40));
        assert!(same.wrong_picture.is_passed() && same.shuffled.is_passed());
    }

    #[test]
    fn two_that_always_say_the_same_are_told_by_the_controls() {
        let lists = vec![names(&[1, 2, 3]); 20];
        let same = Agreement::new(&lists, &lists, &Bootstrap::new(1)).expect("as many");
        for control in [same.wrong_picture, same.shuffled] {
            assert_eq!((control.control.value, control.is_passed()), (1.0, false));
        }
        assert!(Agreement::new(&lists, &lists[1..], &Bootstrap::new(1)).is_err());
        assert!(Agreement::new(&lists[..1], &lists[..1], &Bootstrap::new(1)).is_err());
    }

    /// `[[A, A], [A]]` asked for two different names where there is one, without end.
    #[test]
    fn a_name_that_is_repeated_counts_once() {
        let repeated = [names(&[1, 1]), names(&[1])];
        let once = [names(&[1]), names(&[1])];
        let found = [&repeated, &once].map(|lists| {
            Agreement::new(lists, &once, &Bootstrap::new(1)).expect("two pictures of each")
        });
        assert_eq!(found[0], found[1]);
    }

    #[test]
    fn shuffled_lists_are_as_long_and_hold_the_same_names() {
        let lists = [names(&[1, 2]), names(&[]), names(&[2, 3, 4])];
        let drawn = shuffled(&lists, 3);
        assert_eq!(drawn.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 3]);
        let all = lists.concat();
        assert!(drawn.iter().flatten().all(|artifact| all.contains(artifact)));
        assert!(drawn[2][0] != drawn[2][1] && drawn[2][1] != drawn[2][2]);
    }
}
