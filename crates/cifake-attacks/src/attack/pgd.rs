//! Projected gradient ascent (Madry et al. 2018, arXiv 1706.06083) and its relatives FGSM, BIM and
//! MI-FGSM.

use burn::tensor::Tensor;
use serde::Serialize;

use super::dct::Band;
use crate::kit::{
    Attack, Best, Goal, Loss, Norm, Objective, Perturbed, Remaining, Samples, TargetModel,
    margins_of, restarts, rows,
};
use crate::{Epsilon, Error, StepSize};

/// Projected gradient ascent: step, project, clamp.
///
/// ```
/// use cifake_attacks::{Epsilon, Pgd};
///
/// let attack = Pgd::linf(Epsilon::from_255(2.0)?).with_steps(20).with_restarts(5);
/// # assert_eq!(attack.steps, 20);
/// # Ok::<(), cifake_attacks::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Pgd {
    /// Norm of the ball.
    pub norm: Norm,
    /// Its radius.
    pub epsilon: Epsilon,
    /// Gradient steps of a restart.
    pub steps: usize,
    /// Length of a step.
    pub step_size: StepSize,
    /// Whether a restart begins at a random point of the ball instead of the picture.
    pub random_start: bool,
    /// Number of restarts; the best picture of each sample counts.
    pub restarts: usize,
    /// Momentum: the share of the last direction that is kept (Dong et al. 2018, arXiv 1710.06081).
    pub momentum: Option<f64>,
    /// The loss to maximize.
    pub loss: Loss,
    /// The label that the attack aims for.
    pub goal: Goal,
    /// Whether a sample stops at its first success.
    ///
    /// That costs less and loses no success. The perturbations are barely strong enough, so rounding
    /// to 8 bits may undo some.
    pub early_stop: bool,
    /// DCT frequencies of the l2 steps; all frequencies without it. In the linf ball it restricts the
    /// gradient, but not its sign.
    pub band: Option<Band>,
}

impl Pgd {
    /// 10 steps of 2.5 ε / 10 from a random start, after Madry et al.
    #[must_use]
    pub fn new(norm: Norm, epsilon: Epsilon) -> Self {
        Self {
            norm,
            epsilon,
            steps: 10,
            step_size: StepSize::Relative(0.25),
            random_start: true,
            restarts: 1,
            momentum: None,
            loss: Loss::CrossEntropy,
            goal: Goal::Untargeted,
            early_stop: false,
            band: None,
        }
    }

    /// [`Pgd::new`] in the linf ball.
    #[must_use]
    pub fn linf(epsilon: Epsilon) -> Self {
        Self::new(Norm::Linf, epsilon)
    }

    /// [`Pgd::new`] in the l2 ball.
    #[must_use]
    pub fn l2(epsilon: Epsilon) -> Self {
        Self::new(Norm::L2, epsilon)
    }

    /// One step of size ε from the picture itself (Goodfellow et al. 2015, arXiv 1412.6572).
    #[must_use]
    pub fn fgsm(epsilon: Epsilon) -> Self {
        let step_size = StepSize::Relative(1.0);
        Self { steps: 1, step_size, random_start: false, ..Self::linf(epsilon) }
    }

    /// `steps` steps of ε / `steps` from the picture (Kurakin et al. 2017, arXiv 1607.02533).
    #[must_use]
    pub fn bim(epsilon: Epsilon, steps: usize) -> Self {
        let step_size = StepSize::Relative(1.0 / steps.max(1) as f64);
        Self { steps, step_size, random_start: false, ..Self::linf(epsilon) }
    }

    /// [`Pgd::bim`] with momentum 1.
    #[must_use]
    pub fn mi_fgsm(epsilon: Epsilon, steps: usize) -> Self {
        Self { momentum: Some(1.0), ..Self::bim(epsilon, steps) }
    }

    /// PGD in the l2 ball with steps in one band of the orthonormal 8x8 block DCT.
    ///
    /// Clamping to `[0, 1]` may add other frequencies.
    #[must_use]
    pub fn dct(epsilon: Epsilon, band: Band) -> Self {
        Self { band: Some(band), ..Self::l2(epsilon) }
    }

    /// The l2 attack of the [reference](crate#the-reference): ε 1, 10 steps of 0.025 ε. Most of the
    /// perturbation is the random start.
    #[must_use]
    pub fn reference_l2() -> Self {
        Self::reference(Norm::L2, 1.0, 0.025)
    }

    /// The linf attack of the [reference](crate#the-reference): ε 16/255, 10 steps of 0.1 ε.
    #[must_use]
    pub fn reference_linf() -> Self {
        Self::reference(Norm::Linf, 16.0 / 255.0, 0.1)
    }

    fn reference(norm: Norm, epsilon: f64, step: f64) -> Self {
        let epsilon = Epsilon::new(epsilon).expect("a literal radius is finite");
        Self { step_size: StepSize::Relative(step), ..Self::new(norm, epsilon) }
    }

    /// Sets the number of steps, and their size to 2.5 ε / steps.
    #[must_use]
    pub fn with_steps(self, steps: usize) -> Self {
        let step_size = StepSize::Relative(2.5 / steps.max(1) as f64);
        Self { steps, step_size, ..self }
    }

    /// Sets the number of steps and keeps their total length.
    #[must_use]
    pub fn in_steps(self, steps: usize) -> Self {
        let step_size = self.step_size.scaled(self.steps as f64 / steps.max(1) as f64);
        Self { steps, step_size, ..self }
    }

    /// Sets the size of a step.
    #[must_use]
    pub fn with_step_size(self, step_size: StepSize) -> Self {
        Self { step_size, ..self }
    }

    /// Sets the number of restarts.
    #[must_use]
    pub fn with_restarts(self, restarts: usize) -> Self {
        Self { restarts, ..self }
    }

    /// Sets the goal.
    #[must_use]
    pub fn with_goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    /// Starts at the picture itself.
    #[must_use]
    pub fn from_picture(self) -> Self {
        Self { random_start: false, ..self }
    }

    /// Sets the loss.
    #[must_use]
    pub fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// Stops a sample at its first success.
    #[must_use]
    pub fn with_early_stop(self) -> Self {
        Self { early_stop: true, ..self }
    }

    /// The starting point of a restart.
    fn start(&self, samples: &Samples, seed: u64, restart: usize) -> Result<Tensor<4>, Error> {
        let origin = &samples.images;
        if !self.random_start {
            return Ok(origin.clone());
        }
        let epsilon = self.norm.reach(self.epsilon);
        let delta = samples.draw(seed, restart, |rng, len| self.norm.draw(rng, len, epsilon));
        let delta = self.confine(delta)?;
        Ok(self.norm.project(origin.clone() + delta, origin, epsilon))
    }

    fn confine(&self, delta: Tensor<4>) -> Result<Tensor<4>, Error> {
        match &self.band {
            Some(band) => band.filter(delta),
            None => Ok(delta),
        }
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
        let (reach, step) = (self.norm.reach(self.epsilon), self.step_size.of(self.epsilon));
        let Remaining { mut indices, mut samples } = remaining.clone();
        let mut images = self.start(&samples, seed, restart as usize)?;
        let mut direction: Option<Tensor<4>> = None;
        for _ in 0..self.steps {
            let mut seen = objective.differentiate(model, &images, &samples.labels);
            indices.iter().for_each(|&index| best.n_gradients[index] += 1);
            if self.early_stop && seen.margins.iter().any(|&margin| margin > 0.0) {
                best.offer(&indices, &images, &seen.margins);
                let going: Vec<usize> =
                    (0..indices.len()).filter(|&place| seen.margins[place] <= 0.0).collect();
                if going.is_empty() {
                    return Ok(());
                }
                indices = going.iter().map(|&place| indices[place]).collect();
                samples = samples.select(&going);
                images = rows(&images, &going);
                seen.gradient = rows(&seen.gradient, &going);
                direction = direction.map(|direction| rows(&direction, &going));
            }
            let mut gradient = self.confine(seen.gradient)?;
            if let Some(momentum) = self.momentum {
                gradient = accumulate(gradient, direction.take(), momentum);
                direction = Some(gradient.clone());
            }
            let moved = images + self.norm.steepest(gradient) * step;
            images = self.norm.project(moved, &samples.images, reach);
        }
        if self.restarts <= 1 && !self.early_stop {
            // A single try needs no comparison.
            best.offer(&indices, &images, &vec![f32::INFINITY; indices.len()]);
            return Ok(());
        }
        let margins = margins_of(target.answers(), &images, self.goal, &samples.labels);
        indices.iter().for_each(|&index| best.n_queries[index] += 1);
        best.offer(&indices, &images, &margins);
        Ok(())
    }
}

/// `momentum * direction + gradient / mean |gradient|`.
fn accumulate(gradient: Tensor<4>, direction: Option<Tensor<4>>, momentum: f64) -> Tensor<4> {
    let [batch, channels, height, width] = gradient.dims();
    let flat = gradient.clone().reshape([batch, channels * height * width]);
    let mean = flat.abs().mean_dim(1).clamp_min(1e-12).reshape([batch, 1, 1, 1]);
    let gradient = gradient / mean;
    match direction {
        Some(direction) => direction * momentum + gradient,
        None => gradient,
    }
}

impl Attack for Pgd {
    fn name(&self) -> String {
        let kind = match (self.steps, self.momentum, &self.band) {
            (_, _, Some(_)) => "DCT PGD".to_owned(),
            (1, _, None) => "FGSM".to_owned(),
            (steps, Some(_), None) => format!("MI-FGSM-{steps}"),
            (steps, None, None) => format!("PGD-{steps}"),
        };
        format!("{kind} {}", self.norm.ball(self.epsilon))
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
