//! Several attacks in a row, each on the samples that the earlier ones left: AutoAttack (Croce and
//! Hein 2020, arXiv 2003.01690) for two classes, where DLR is not defined.

use serde::Serialize;

use super::{Apgd, Fab, Square};
use crate::kit::{Attack, Goal, Loss, Norm, Perturbed, Samples, TargetModel, margins_of, restarts};
use crate::{Epsilon, Error};

/// Attacks in a row, each on the samples that are still robust.
#[derive(Debug, Serialize)]
pub struct Ensemble {
    name: String,
    goal: Goal,
    attacks: Vec<Box<dyn Attack>>,
}

impl Ensemble {
    /// `attacks` in this order, which all must have the goal `goal`.
    #[must_use]
    pub fn new(name: impl Into<String>, goal: Goal, attacks: Vec<Box<dyn Attack>>) -> Self {
        Self { name: name.into(), goal, attacks }
    }

    /// Steps of the gradient attacks of [`standard`](Self::standard).
    pub const STEPS: usize = 100;

    /// APGD on the cross-entropy, APGD on the margin and FAB, with [`STEPS`](Self::STEPS) steps each,
    /// then Square with 5,000 queries.
    #[must_use]
    pub fn standard(norm: Norm, epsilon: Epsilon) -> Self {
        Self::with_steps(norm, epsilon, Self::STEPS)
    }

    /// [`standard`](Self::standard) with `steps` steps for each gradient attack.
    #[must_use]
    pub fn with_steps(norm: Norm, epsilon: Epsilon, steps: usize) -> Self {
        let apgd = Apgd::new(norm, epsilon).with_steps(steps);
        let attacks: Vec<Box<dyn Attack>> = vec![
            Box::new(apgd.clone()),
            Box::new(apgd.with_loss(Loss::Margin)),
            Box::new(Fab::new(norm, epsilon).with_steps(steps)),
            Box::new(Square::new(norm, epsilon)),
        ];
        Self::new(format!("ensemble {}", norm.ball(epsilon)), Goal::Untargeted, attacks)
    }

    /// The attacks, in order.
    #[must_use]
    pub fn attacks(&self) -> &[Box<dyn Attack>] {
        &self.attacks
    }
}

impl Attack for Ensemble {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn epsilon(&self) -> Option<Epsilon> {
        self.attacks.iter().find_map(|attack| attack.epsilon())
    }

    fn perturb(
        &self,
        target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let mut found_by_gradients = vec![false; samples.len()];
        let mut beyond_gradients = vec![false; samples.len()];
        let found = restarts(samples, self.attacks.len(), |number, remaining, best| {
            // Attacks of one kind must not draw alike.
            let seed = seed.wrapping_add(number as u64);
            let part = target.without_progress();
            let found = self.attacks[number].perturb(&part, &remaining.samples, seed)?;
            let labels = &remaining.samples.labels;
            let ask = |images| margins_of(target.answers(), images, self.goal, labels);
            // A success that rounding to 8 bits would undo leaves the sample to the next attack.
            let rounded = (found.images.clone() * 255.0).round() / 255.0;
            let exact = ask(&found.images);
            let both = exact.iter().zip(ask(&rounded));
            let margins: Vec<f32> = both.map(|(exact, rounded)| exact.min(rounded)).collect();
            best.offer(&remaining.indices, &found.images, &margins);
            for (place, &index) in remaining.indices.iter().enumerate() {
                let by_search = found.n_gradients[place] == 0 && best.n_gradients[index] > 0;
                found_by_gradients[index] |= !by_search && exact[place] > 0.0;
                beyond_gradients[index] =
                    by_search && margins[place] > 0.0 && !found_by_gradients[index];
                best.n_queries[index] += found.n_queries[place] + 2;
                best.n_gradients[index] += found.n_gradients[place];
            }
            target.tell((number + 1) as f64 / self.attacks.len() as f64);
            Ok(())
        })?;
        Ok(Perturbed { beyond_gradients, ..found })
    }
}
