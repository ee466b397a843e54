//! FAB (Croce and Hein 2020, arXiv 1907.02044): the nearest picture beyond the decision boundary,
//! by steps onto the linearized boundary.

mod hyperplane;

use burn::tensor::{Tensor, TensorData};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSlice;
use serde::Serialize;

use self::hyperplane::Hyperplane;
use crate::kit::{
    Attack, Best, Goal, Loss, Norm, Objective, Perturbed, Remaining, SampleRng, Samples,
    TargetModel, margins_of, restarts, values,
};
use crate::{Epsilon, Error};

/// The factor by which a step goes beyond the hyperplane.
const OVERSHOOT: f32 = 1.05;
/// Largest weight of the step from the original picture.
const MAX_BIAS: f32 = 0.1;
/// Share of a successful perturbation that the next step starts from.
const BACKWARD: f32 = 0.9;

/// FAB with the other class of a detector as its target.
///
/// FAB looks for small perturbations. Of those within ε, this one returns the picture with the highest
/// margin. The final search of the paper is left out, since it changes no success.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Fab {
    /// Norm of the perturbation.
    pub norm: Norm,
    /// Radius within which a perturbation counts.
    pub epsilon: Epsilon,
    /// Steps of a restart.
    pub steps: usize,
    /// Number of restarts; the first one begins at the picture itself.
    pub restarts: usize,
    /// The label that the attack aims for.
    pub goal: Goal,
}

impl Fab {
    /// 100 steps, one restart.
    #[must_use]
    pub fn new(norm: Norm, epsilon: Epsilon) -> Self {
        Self { norm, epsilon, steps: 100, restarts: 1, goal: Goal::Untargeted }
    }

    /// Sets the number of steps.
    #[must_use]
    pub fn with_steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// The starting point of a restart: the picture first, then random points near it.
    fn start(&self, origin: &[f32], rng_key: [u64; 2], restart: usize) -> Vec<f32> {
        if restart == 0 {
            return origin.to_vec();
        }
        let [seed, id] = rng_key;
        let epsilon = self.epsilon.value() / 2.0;
        let drawn = self.norm.draw(&mut SampleRng::new(seed, id, restart), origin.len(), epsilon);
        origin.iter().zip(drawn).map(|(x, d)| (x + d).clamp(0.0, 1.0)).collect()
    }

    /// The next point of a sample.
    fn step(&self, origin: &[f32], point: &[f32], margin: f32, gradient: &[f32]) -> Vec<f32> {
        let plane = Hyperplane::through(point, margin, gradient);
        let from_point = plane.nearest(self.norm, point);
        let from_origin = plane.nearest(self.norm, origin);
        let [near, far] = [(&from_point, point), (&from_origin, origin)]
            .map(|(to, from)| self.norm.size(to.iter().zip(from).map(|(a, b)| a - b)));
        let bias = if near + far > 0.0 { (near / (near + far)).min(MAX_BIAS) } else { 0.0 };
        let beyond = |from: f32, to: f32| from + OVERSHOOT * (to - from);
        (0..point.len())
            .map(|i| {
                let step = beyond(point[i], from_point[i]);
                let biased = beyond(origin[i], from_origin[i]);
                ((1.0 - bias) * step + bias * biased).clamp(0.0, 1.0)
            })
            .collect()
    }

    /// One restart, whose pictures within ε go to `best`.
    fn descend(
        &self,
        target: &TargetModel<'_>,
        remaining: &Remaining,
        [seed, restart]: [u64; 2],
        best: &mut Best,
    ) -> Result<(), Error> {
        let model = target.gradients(&self.name())?;
        let objective = Objective { goal: self.goal, loss: Loss::Margin };
        let Remaining { indices, samples } = remaining;
        let dims = samples.images.dims();
        let len = dims[1..].iter().product();
        let device = samples.images.device();
        let origins = values(samples.images.clone());
        let mut points: Vec<f32> = origins
            .chunks_exact(len)
            .zip(&samples.ids)
            .flat_map(|(origin, &id)| self.start(origin, [seed, id], restart as usize))
            .collect();
        let mut found: Vec<Option<Found>> = vec![None; samples.len()];
        let upload = |points: &[f32]| {
            Tensor::<4>::from_data(TensorData::new(points.to_vec(), dims), &device)
        };
        for _ in 0..self.steps {
            let seen = objective.differentiate(model, &upload(&points), &samples.labels);
            let gradients = values(seen.gradient);
            points = points
                .par_chunks(len)
                .zip(origins.par_chunks(len))
                .zip(gradients.par_chunks(len))
                .zip(seen.margins.par_iter())
                .flat_map_iter(|(((point, origin), gradient), &margin)| {
                    self.step(origin, point, margin, gradient)
                })
                .collect();
            let margins =
                margins_of(target.answers(), &upload(&points), self.goal, &samples.labels);
            for (place, &index) in indices.iter().enumerate() {
                best.n_gradients[index] += 1;
                best.n_queries[index] += 1;
                if margins[place] > 0.0 {
                    let origin = &origins[place * len..][..len];
                    let point = &mut points[place * len..][..len];
                    self.keep(&mut found[place], origin, point, margins[place]);
                    for (x, o) in point.iter_mut().zip(origin) {
                        *x = o + BACKWARD * (*x - o);
                    }
                }
            }
        }
        let turned: Vec<usize> = (0..samples.len()).filter(|&i| found[i].is_some()).collect();
        if turned.is_empty() {
            return Ok(());
        }
        let found: Vec<&Found> = turned.iter().filter_map(|&i| found[i].as_ref()).collect();
        let pixels: Vec<f32> = found.iter().flat_map(|found| found.point.iter().copied()).collect();
        let shape = [found.len(), dims[1], dims[2], dims[3]];
        let images = Tensor::from_data(TensorData::new(pixels, shape), &device);
        let margins: Vec<f32> = found.iter().map(|found| found.margin).collect();
        let turned: Vec<usize> = turned.iter().map(|&place| indices[place]).collect();
        best.offer(&turned, &images, &margins);
        Ok(())
    }

    /// Keeps the point within ε with the highest margin: a point just beyond the boundary would not
    /// survive rounding.
    fn keep(&self, found: &mut Option<Found>, origin: &[f32], point: &[f32], margin: f32) {
        let size = self.norm.size(point.iter().zip(origin).map(|(a, b)| a - b));
        let inside = size <= self.epsilon.value() as f32;
        if inside && found.as_ref().is_none_or(|old| margin > old.margin) {
            *found = Some(Found { point: point.to_vec(), margin });
        }
    }
}

/// A successful picture.
#[derive(Clone)]
struct Found {
    point: Vec<f32>,
    margin: f32,
}

impl Attack for Fab {
    fn name(&self) -> String {
        format!("FAB {}", self.norm.ball(self.epsilon))
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
        restarts(samples, self.restarts.max(1), |restart, remaining, best| {
            self.descend(target, remaining, [seed, restart as u64], best)
        })
    }
}
