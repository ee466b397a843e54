//! Auto-PGD (Croce and Hein 2020, arXiv 2003.01690, algorithm 1): each sample halves its step size
//! when it makes no progress.

use burn::tensor::Tensor;
use serde::Serialize;

use crate::kit::{
    Attack, Best, Goal, Loss, LossGradient, Norm, Objective, Perturbed, Remaining, Samples,
    TargetModel, choose_rows, column, restarts, rows,
};
use crate::{Epsilon, Error};

/// Weight of the new direction against the last one.
const MOMENTUM: f64 = 0.75;
/// A window in which the loss rose in at most this share of the steps makes the step smaller.
const RISING: f64 = 0.75;

/// Auto-PGD on the cross-entropy or on the margin.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Apgd {
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius.
    pub epsilon: Epsilon,
    /// Steps of a restart.
    pub steps: usize,
    /// Number of restarts; the best picture of each sample counts.
    pub restarts: usize,
    /// The loss to maximize.
    pub loss: Loss,
    /// The label that the attack aims for.
    pub goal: Goal,
}

impl Apgd {
    /// 100 steps on the cross-entropy, one restart.
    #[must_use]
    pub fn new(norm: Norm, epsilon: Epsilon) -> Self {
        let (loss, goal) = (Loss::CrossEntropy, Goal::Untargeted);
        Self { norm, epsilon, steps: 100, restarts: 1, loss, goal }
    }

    /// Sets the loss.
    #[must_use]
    pub fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// Sets the number of steps.
    #[must_use]
    pub fn with_steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Sets the number of restarts.
    #[must_use]
    pub fn with_restarts(self, restarts: usize) -> Self {
        Self { restarts, ..self }
    }

    /// A random point on the edge of the ball, clamped to the range of a picture.
    fn start(&self, samples: &Samples, seed: u64, restart: usize) -> Tensor<4> {
        let drawn = samples.draw(seed, restart, |rng, len| match self.norm {
            Norm::Linf => rng.uniform(len, 1.0),
            Norm::L2 => rng.normal(len),
        });
        let epsilon = self.norm.reach(self.epsilon);
        let scale = |size: f32| (epsilon / f64::from(size).max(1e-12)) as f32;
        let scales: Vec<f32> = self.norm.sizes(drawn.clone()).into_iter().map(scale).collect();
        let moved = samples.images.clone() + drawn.clone() * column(scales, &drawn);
        self.norm.project(moved, &samples.images, epsilon)
    }

    /// One restart, whose pictures go to `best`.
    fn climb(
        &self,
        target: &TargetModel<'_>,
        remaining: &Remaining,
        [seed, restart]: [u64; 2],
        best: &mut Best,
    ) -> Result<(), Error> {
        let model = target.gradients(&self.name())?;
        let objective = Objective { goal: self.goal, loss: self.loss };
        let epsilon = self.norm.reach(self.epsilon);
        let Remaining { indices, samples } = remaining;
        let begin = self.start(samples, seed, restart as usize);
        let seen = objective.differentiate(model, &begin, &samples.labels);
        let mut climbers = Climbers::new(samples, indices, begin, seen, 2.0 * epsilon);
        let mut windows = Windows::new(self.steps);
        indices.iter().for_each(|&index| best.n_gradients[index] += 1);
        for step in 0..self.steps {
            let weight = if step == 0 { 1.0 } else { MOMENTUM };
            climbers.move_on(self.norm, epsilon, weight);
            let labels = &climbers.samples.labels;
            let seen = objective.differentiate(model, &climbers.images, labels);
            climbers.indices.iter().for_each(|&index| best.n_gradients[index] += 1);
            climbers.look(seen);
            if let Some(len) = windows.closes_at(step + 1) {
                climbers.adapt(len);
                best.offer(&climbers.indices, &climbers.best_images, &climbers.best_margins);
                let going = |&place: &usize| climbers.best_margins[place] <= 0.0;
                let going: Vec<usize> = (0..climbers.indices.len()).filter(going).collect();
                if going.is_empty() {
                    return Ok(());
                }
                if going.len() < climbers.indices.len() {
                    climbers = climbers.select(&going);
                }
            }
        }
        best.offer(&climbers.indices, &climbers.best_images, &climbers.best_margins);
        Ok(())
    }
}

impl Attack for Apgd {
    fn name(&self) -> String {
        let loss = match self.loss {
            Loss::CrossEntropy => "CE",
            Loss::Margin => "margin",
        };
        format!("APGD-{loss} {}", self.norm.ball(self.epsilon))
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
            self.climb(target, remaining, [seed, restart as u64], best)
        })
    }
}

/// The samples without a success so far, row by row.
struct Climbers {
    /// Their places in the batch of the call.
    indices: Vec<usize>,
    samples: Samples,
    images: Tensor<4>,
    previous: Tensor<4>,
    gradient: Tensor<4>,
    margins: Vec<f32>,
    best_images: Tensor<4>,
    best_gradient: Tensor<4>,
    best_margins: Vec<f32>,
    steps: Vec<f32>,
    /// Steps of this window that raised the loss.
    n_rises: Vec<usize>,
    was_halved: Vec<bool>,
    best_before: Vec<f32>,
}

impl Climbers {
    fn new(
        samples: &Samples,
        open: &[usize],
        begin: Tensor<4>,
        seen: LossGradient,
        step: f64,
    ) -> Self {
        let n = open.len();
        Self {
            indices: open.to_vec(),
            samples: samples.clone(),
            previous: begin.clone(),
            gradient: seen.gradient.clone(),
            best_images: begin.clone(),
            best_gradient: seen.gradient,
            images: begin,
            best_margins: seen.margins.clone(),
            best_before: seen.margins.clone(),
            margins: seen.margins,
            steps: vec![step as f32; n],
            n_rises: vec![0; n],
            was_halved: vec![true; n],
        }
    }

    /// A step, with `1 - weight` of the last one added.
    fn move_on(&mut self, norm: Norm, epsilon: f64, weight: f64) {
        let origin = &self.samples.images;
        let step = norm.steepest(self.gradient.clone()) * column(self.steps.clone(), origin);
        let ascended = norm.project(self.images.clone() + step, origin, epsilon);
        let mixed = self.images.clone()
            + (ascended - self.images.clone()) * weight
            + (self.images.clone() - self.previous.clone()) * (1.0 - weight);
        let moved = norm.project(mixed, origin, epsilon);
        self.previous = std::mem::replace(&mut self.images, moved);
    }

    /// Takes margins and gradients of the new pictures.
    ///
    /// Both losses rise with the margin, so the picture with the higher margin is the better one.
    fn look(&mut self, seen: LossGradient) {
        let rises = seen.margins.iter().zip(&self.margins).map(|(new, old)| new > old);
        self.n_rises.iter_mut().zip(rises).for_each(|(n, rises)| *n += usize::from(rises));
        let better: Vec<bool> =
            seen.margins.iter().zip(&self.best_margins).map(|(new, best)| new > best).collect();
        for (best, new) in self.best_margins.iter_mut().zip(&seen.margins) {
            *best = best.max(*new);
        }
        self.best_images = choose_rows(&better, self.images.clone(), self.best_images.clone());
        self.best_gradient =
            choose_rows(&better, seen.gradient.clone(), self.best_gradient.clone());
        (self.margins, self.gradient) = (seen.margins, seen.gradient);
    }

    /// Halves the step size of each sample without progress in a window of `len` steps, and returns
    /// it to its best picture.
    fn adapt(&mut self, len: usize) {
        let n = self.indices.len();
        let halve: Vec<bool> = (0..n)
            .map(|i| {
                let wanders = self.n_rises[i] as f64 <= RISING * len as f64;
                let stuck = !self.was_halved[i] && self.best_before[i] >= self.best_margins[i];
                wanders || stuck
            })
            .collect();
        for (i, _) in halve.iter().enumerate().filter(|(_, halve)| **halve) {
            self.steps[i] /= 2.0;
            self.margins[i] = self.best_margins[i];
        }
        self.images = choose_rows(&halve, self.best_images.clone(), self.images.clone());
        self.gradient = choose_rows(&halve, self.best_gradient.clone(), self.gradient.clone());
        self.best_before.clone_from(&self.best_margins);
        self.was_halved = halve;
        self.n_rises.fill(0);
    }

    fn select(&self, places: &[usize]) -> Self {
        let pick = |values: &[f32]| places.iter().map(|&i| values[i]).collect();
        Self {
            indices: places.iter().map(|&i| self.indices[i]).collect(),
            samples: self.samples.select(places),
            images: rows(&self.images, places),
            previous: rows(&self.previous, places),
            gradient: rows(&self.gradient, places),
            margins: pick(&self.margins),
            best_images: rows(&self.best_images, places),
            best_gradient: rows(&self.best_gradient, places),
            best_margins: pick(&self.best_margins),
            steps: pick(&self.steps),
            n_rises: places.iter().map(|&i| self.n_rises[i]).collect(),
            was_halved: places.iter().map(|&i| self.was_halved[i]).collect(),
            best_before: pick(&self.best_before),
        }
    }
}

/// The windows after which step sizes are adapted: 22 % of all steps, then shrinking by 3 % to 6 %.
struct Windows {
    n_steps: usize,
    len: usize,
    begun: usize,
}

impl Windows {
    fn new(n_steps: usize) -> Self {
        let mut windows = Self { n_steps, len: 0, begun: 0 };
        windows.len = windows.share(0.22);
        windows
    }

    fn share(&self, share: f64) -> usize {
        ((share * self.n_steps as f64) as usize).max(1)
    }

    /// The length of the window that ends after `step` steps, if one does.
    fn closes_at(&mut self, step: usize) -> Option<usize> {
        if step - self.begun < self.len {
            return None;
        }
        let closed = self.len;
        self.begun = step;
        self.len = self.len.saturating_sub(self.share(0.03)).max(self.share(0.06));
        Some(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_hundred_steps_are_those_of_the_paper() {
        let mut windows = Windows::new(100);
        let ends: Vec<usize> =
            (1..=100).filter(|&step| windows.closes_at(step).is_some()).collect();
        assert_eq!(ends[..8], [22, 41, 57, 70, 80, 87, 93, 99]);
    }
}
