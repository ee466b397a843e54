//! Square (Andriushchenko et al. 2020, arXiv 1912.00049): random search with shrinking patches.

mod patch;

use burn::tensor::{Tensor, TensorData};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefMutIterator, ParallelIterator};
use serde::Serialize;

use self::patch::Shape;
use crate::kit::{
    Attack, Goal, Norm, Perturbed, SampleRng, Samples, TargetModel, margins_of, values,
};
use crate::{Epsilon, Error};

/// Numbers of queries, out of 10,000, after which patches halve.
const HALVINGS: [f64; 9] = [10.0, 50.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0, 6000.0, 8000.0];

/// A random search that keeps each patch that raises the margin. It needs answers alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Square {
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius.
    pub epsilon: Epsilon,
    /// Maximum number of classifications of a sample.
    pub queries: usize,
    /// Share of the picture that the first patches cover, 0 to 1.
    pub first_share: f64,
    /// The label that the attack aims for.
    pub goal: Goal,
}

impl Square {
    /// 5,000 queries, first patches of 80 %: the values of AutoAttack.
    #[must_use]
    pub fn new(norm: Norm, epsilon: Epsilon) -> Self {
        Self { norm, epsilon, queries: 5000, first_share: 0.8, goal: Goal::Untargeted }
    }

    /// Sets the number of queries.
    #[must_use]
    pub fn with_queries(self, queries: usize) -> Self {
        Self { queries, ..self }
    }

    /// Share of the picture that a patch covers after `step` steps.
    fn share(&self, step: usize) -> f64 {
        let of_10_000 = (step as f64 / self.queries as f64 * 10_000.0).floor();
        let halvings = HALVINGS.iter().filter(|&&limit| of_10_000 > limit).count();
        self.first_share / f64::from(1u32 << halvings)
    }
}

/// The search on one sample.
struct Search<'a> {
    index: usize,
    origin: &'a [f32],
    rng: SampleRng,
    best: Vec<f32>,
    margin: f32,
    candidate: Vec<f32>,
}

impl Square {
    /// Margins of the candidates of all searches.
    fn judge(
        &self,
        target: &TargetModel<'_>,
        samples: &Samples,
        searches: &[Search<'_>],
    ) -> Vec<f32> {
        let [_, channels, height, width] = samples.images.dims();
        let pixels: Vec<f32> = searches.iter().flat_map(|s| s.candidate.iter().copied()).collect();
        let data = TensorData::new(pixels, [searches.len(), channels, height, width]);
        let images = Tensor::from_data(data, &samples.images.device());
        let labels: Vec<_> = searches.iter().map(|s| samples.labels[s.index]).collect();
        margins_of(target.answers(), &images, self.goal, &labels)
    }
}

impl Attack for Square {
    fn name(&self) -> String {
        format!("Square-{} {}", self.queries, self.norm.ball(self.epsilon))
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
        let dims = samples.images.dims();
        let shape = Shape { channels: dims[1], height: dims[2], width: dims[3] };
        let epsilon = self.norm.reach(self.epsilon) as f32;
        let mut images = values(samples.images.clone());
        let origins = images.clone();
        let mut n_queries = vec![0; samples.len()];
        let mut searches: Vec<Search<'_>> = origins
            .chunks_exact(shape.len())
            .enumerate()
            .map(|(index, origin)| {
                let mut rng = SampleRng::new(seed, samples.ids[index], 0);
                let candidate = shape.begin(self.norm, origin, epsilon, &mut rng);
                let (best, margin) = (origin.to_vec(), f32::NEG_INFINITY);
                Search { index, origin, rng, best, margin, candidate }
            })
            .collect();
        for step in 0..self.queries {
            let margins = self.judge(target, samples, &searches);
            for (search, margin) in searches.iter_mut().zip(margins) {
                n_queries[search.index] += 1;
                if margin > search.margin {
                    search.margin = margin;
                    search.best.clone_from(&search.candidate);
                }
            }
            for search in &searches {
                images[search.index * shape.len()..][..shape.len()].copy_from_slice(&search.best);
            }
            searches.retain(|search| search.margin <= 0.0);
            if searches.is_empty() {
                break;
            }
            let share = self.share(step);
            searches.par_iter_mut().with_min_len(8).for_each(|search| {
                let Search { origin, rng, best, candidate, .. } = search;
                candidate.clone_from(best);
                shape.propose(self.norm, origin, epsilon, share, rng, candidate);
            });
        }
        let images = Tensor::from_data(TensorData::new(images, dims), &samples.images.device());
        Ok(Perturbed::new(images, n_queries, vec![0; dims[0]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_halve_at_the_stated_queries() {
        let epsilon = Epsilon::from_255(8.0).expect("finite");
        let square = Square::new(Norm::Linf, epsilon).with_queries(10_000);
        let shares = [0, 10, 11, 51, 201, 8001].map(|step| square.share(step));
        assert_eq!(shares, [0.8, 0.8, 0.4, 0.2, 0.1, 0.8 / 512.0]);
    }
}
