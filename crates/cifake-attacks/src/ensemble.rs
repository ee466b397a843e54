//! Several attacks in a row, each on what the ones before it left standing: AutoAttack's idea
//! (Croce and Hein 2020, arXiv 2003.01690) for two classes, where DLR is not defined.

use crate::best::in_turn;
use crate::loss::{Goal, Loss, ask};
use crate::{Apgd, Attack, Epsilon, Error, Fab, Norm, Perturbed, Samples, Square, Victim};

/// Attacks that hand on only the samples that are still robust.
#[derive(Debug)]
pub struct Ensemble {
    name: String,
    goal: Goal,
    attacks: Vec<Box<dyn Attack>>,
}

impl Ensemble {
    /// These attacks, which all have `goal`, in order.
    #[must_use]
    pub fn new(name: impl Into<String>, goal: Goal, attacks: Vec<Box<dyn Attack>>) -> Self {
        Self { name: name.into(), goal, attacks }
    }

    /// Steps of the attacks of [`standard`](Self::standard) that follow gradients.
    pub const STEPS: usize = 100;

    /// APGD on the cross-entropy, APGD on the margin, FAB with the one target, of
    /// [`STEPS`](Self::STEPS) steps each, Square with 5,000 queries.
    #[must_use]
    pub fn standard(norm: Norm, epsilon: Epsilon) -> Self {
        Self::with_steps(norm, epsilon, Self::STEPS)
    }

    /// [`standard`](Self::standard), with `steps` steps where gradients are followed.
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
        victim: &Victim<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let mut found_by_gradients = vec![false; samples.len()];
        let mut beyond_gradients = vec![false; samples.len()];
        let found = in_turn(samples, self.attacks.len(), |number, tried, best| {
            // Attacks of one kind must not draw alike.
            let seed = seed.wrapping_add(number as u64);
            let found = self.attacks[number].perturb(victim, &tried.samples, seed)?;
            let labels = &tried.samples.labels;
            let ask = |images| ask(victim.answers(), images, self.goal, labels);
            // A success that rounding to 8 bits would undo leaves the sample to the next attack.
            let rounded = (found.images.clone() * 255.0).round() / 255.0;
            let exact = ask(&found.images);
            let both = exact.iter().zip(ask(&rounded));
            let margins: Vec<f32> = both.map(|(exact, rounded)| exact.min(rounded)).collect();
            best.offer(&tried.indices, &found.images, &margins);
            for (place, &index) in tried.indices.iter().enumerate() {
                let by_search = found.n_gradients[place] == 0 && best.n_gradients[index] > 0;
                found_by_gradients[index] |= !by_search && exact[place] > 0.0;
                beyond_gradients[index] =
                    by_search && margins[place] > 0.0 && !found_by_gradients[index];
                best.n_queries[index] += found.n_queries[place] + 2;
                best.n_gradients[index] += found.n_gradients[place];
            }
            Ok(())
        })?;
        Ok(Perturbed { beyond_gradients, ..found })
    }
}
