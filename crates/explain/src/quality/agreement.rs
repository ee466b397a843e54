//! How far two voices agree on the same pictures, beside what they would share by chance.

use cifake::metrics::Bootstrap;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::{Control, SetAgreement, wrong_pictures};
use crate::{Artifact, Error};

/// [`SetAgreement::iou`] of two voices, beside two controls.
///
/// Two voices that always say the same of any picture agree too: only what is left over the controls
/// is about the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// Beside what the first voice says of another of the pictures.
    pub wrong_picture: Control,
    /// Beside names drawn from all that the first voice names, as many as it names of the picture.
    pub shuffled: Control,
}

impl Agreement {
    /// Compares what the first and the second voice name, a list a picture each; all that is drawn
    /// depends on the seed of `bootstrap`.
    ///
    /// # Errors
    ///
    /// [`Error::ControlScores`] where there are not as many of both, or fewer than two.
    pub fn new(
        first: &[Vec<Artifact>],
        second: &[Vec<Artifact>],
        bootstrap: &Bootstrap,
    ) -> Result<Self, Error> {
        let (n, n_second) = (first.len(), second.len());
        if n < 2 || n != n_second {
            return Err(Error::ControlScores { n_matched: n, n_control: n_second });
        }
        let others = wrong_pictures(n, bootstrap.seed);
        let shuffled = shuffled(first, bootstrap.seed);
        let scores = |lists: &[Vec<Artifact>], place: &dyn Fn(usize) -> usize| -> Vec<f64> {
            (0..n).map(|i| SetAgreement::new(&lists[place(i)], &second[i]).iou).collect()
        };
        let own = scores(first, &|i| i);
        let wrong = scores(first, &|i| others[i]);
        let random = scores(&shuffled, &|i| i);
        Ok(Self {
            wrong_picture: Control::new(&own, &wrong, bootstrap)?,
            shuffled: Control::new(&own, &random, bootstrap)?,
        })
    }
}

/// As many different names as each of `lists` has, drawn from all of them as often as they stand there.
fn shuffled(lists: &[Vec<Artifact>], seed: u64) -> Vec<Vec<Artifact>> {
    let all: Vec<Artifact> = lists.concat();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = |list: &Vec<Artifact>| {
        let mut drawn: Vec<Artifact> = Vec::new();
        while drawn.len() < list.len() {
            // Any list of different names is itself among all: enough are different.
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
