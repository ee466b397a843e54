//! Random points of the ball.

use serde::Serialize;

use crate::kit::{Attack, Goal, Norm, Perturbed, Samples, TargetModel, margins_of, restarts};
use crate::{Epsilon, Error};

/// The best of several points drawn uniformly from the ball ("repeated additive uniform noise" in
/// Rauber et al. 2017, arXiv 1707.04131).
///
/// It needs answers alone. A model that falls to it is not robust at all, so it is a sanity check for
/// stronger attacks (Carlini et al. 2019, arXiv 1902.06705).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RandomNoise {
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius.
    pub epsilon: Epsilon,
    /// Maximum number of points.
    pub n_tries: usize,
    /// The label that the attack aims for.
    pub goal: Goal,
}

impl RandomNoise {
    /// 100 points.
    #[must_use]
    pub fn new(norm: Norm, epsilon: Epsilon) -> Self {
        Self { norm, epsilon, n_tries: 100, goal: Goal::Untargeted }
    }

    /// Sets the maximum number of points.
    #[must_use]
    pub fn with_tries(self, n_tries: usize) -> Self {
        Self { n_tries, ..self }
    }
}

impl Attack for RandomNoise {
    fn name(&self) -> String {
        format!("noise-{} {}", self.n_tries, self.norm.ball(self.epsilon))
    }

    fn epsilon(&self) -> Option<Epsilon> {
        Some(self.epsilon)
    }

    fn perturb(
        &self,
        target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let reach = self.norm.reach(self.epsilon);
        restarts(samples, self.n_tries, |number, remaining, best| {
            let (origin, labels) = (&remaining.samples.images, &remaining.samples.labels);
            let draw =
                remaining.samples.draw(seed, number, |rng, len| self.norm.draw(rng, len, reach));
            let images = self.norm.project(origin.clone() + draw, origin, reach);
            let margins = margins_of(target.answers(), &images, self.goal, labels);
            remaining.indices.iter().for_each(|&index| best.n_queries[index] += 1);
            best.offer(&remaining.indices, &images, &margins);
            Ok(())
        })
    }
}
