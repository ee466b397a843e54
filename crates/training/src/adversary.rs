//! Adversarial training.

use cifake::Differentiable;
use cifake_attacks::{Attack, Epsilon, Norm, Pgd, Samples, StepSize, TargetModel, is_correct};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::range::{MAX_COUNT, MAX_STEPS, Range};

/// Steps of the validating attack, which the guard uses too.
const VALIDATION_STEPS: usize = 10;
/// Most steps of the attack at the start of a run.
const MAX_ATTACK_STEPS: usize = 1000;
/// Largest radius: the diagonal of a picture of 577x577 pixels.
const MAX_EPSILON: f64 = 1e3;
/// Pictures of one check of the guard.
pub(crate) const N_GUARD: usize = 100;

/// An attack on training pictures that uses the gradients of the model at each step.
///
/// A single step from a random start trains nearly as well as many steps (Wong et al. 2020, arXiv
/// 2001.03994), until the model learns to resist exactly that step (catastrophic overfitting). A guard
/// detects this and then adds a step for the rest of the run. Attacks of several steps are those of
/// Madry et al. 2018 (arXiv 1706.06083).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adversary {
    /// Norm of the perturbation.
    pub norm: Norm,
    /// Radius of the perturbation after the ramp, at most 1000; in a file a number, or a text such as "2/255".
    pub epsilon: Epsilon,
    /// Gradient steps at the start of the run, 1 to 1000.
    pub steps: usize,
    /// Length of a single step in multiples of epsilon, 0 to 1000; several steps are of 2.5 epsilon / steps.
    pub single_step_size: f64,
    /// Epochs in which the radius rises from 0, at most 2^20.
    pub ramp_epochs: f64,
    /// Share of each batch that is attacked, above 0 and at most 1; the rest is trained on without an attack.
    pub share: f64,
    /// Weight of TRADES' second term (Zhang et al. 2019, arXiv 1901.08573), 0 to 1e6. At 0 the loss is the
    /// cross-entropy of the attacked pictures. Otherwise the loss is the cross-entropy of the clean
    /// batch, plus this weight times the divergence between the answers to clean and to attacked
    /// pictures; `share` must then be 1. The attack on the cross-entropy also serves the divergence:
    /// with two classes and normalized steps both follow the gradient of the margin.
    pub trades: f64,
    /// Training steps between two checks of the guard, at most 2^30; 0 turns it off.
    pub guard_steps: usize,
    /// The guard adds a step where the accuracy under the training attack exceeds that under the
    /// validating attack by more than this share, -1 to 1.
    pub guard_gap: f64,
    /// Validation pictures whose robust accuracy is measured after each epoch, 1 to 2^30.
    pub validation: usize,
}

impl Default for Adversary {
    fn default() -> Self {
        Self {
            norm: Norm::Linf,
            epsilon: Epsilon::from_255(2.0).expect("a literal radius is finite"),
            steps: 1,
            single_step_size: 1.25,
            ramp_epochs: 1.0,
            share: 1.0,
            trades: 0.0,
            guard_steps: 200,
            guard_gap: 0.15,
            validation: 500,
        }
    }
}

impl Adversary {
    pub(crate) fn validate(&self) -> Result<(), String> {
        let count = |high: usize| Range::Closed(1.0, high as f64);
        count(MAX_ATTACK_STEPS).check_count("adversary: steps", self.steps)?;
        count(MAX_STEPS).check_count("adversary: validation", self.validation)?;
        let steps = Range::Closed(0.0, MAX_STEPS as f64);
        steps.check_count("adversary: guard_steps", self.guard_steps)?;
        for (name, value, range) in [
            ("epsilon", self.epsilon.value(), Range::Closed(0.0, MAX_EPSILON)),
            ("share", self.share, Range::Above(0.0, 1.0)),
            ("single_step_size", self.single_step_size, Range::Closed(0.0, 1e3)),
            ("ramp_epochs", self.ramp_epochs, Range::Closed(0.0, MAX_COUNT as f64)),
            ("trades", self.trades, Range::Closed(0.0, 1e6)),
            ("guard_gap", self.guard_gap, Range::Closed(-1.0, 1.0)),
        ] {
            range.check(&format!("adversary: {name}"), value)?;
        }
        if self.trades > 0.0 && self.share < 1.0 {
            return Err("adversary: TRADES trains on every picture twice; share must be 1".into());
        }
        Ok(())
    }

    /// Of a batch of `len`, how many are attacked: at least one.
    pub(crate) fn n_attacked(&self, len: usize) -> usize {
        ((self.share * len as f64).round() as usize).clamp(1, len)
    }

    /// The radius after `epochs` epochs, fractions included.
    fn epsilon_at(&self, epochs: f64) -> Epsilon {
        let share = if epochs < self.ramp_epochs { epochs / self.ramp_epochs } else { 1.0 };
        Epsilon::new(share * self.epsilon.value()).expect("a share of a radius is one")
    }

    /// The training attack after `epochs` epochs, with `more_steps` that the guard has added.
    pub(crate) fn attack_at(&self, epochs: f64, more_steps: usize) -> Pgd {
        let attack =
            Pgd::new(self.norm, self.epsilon_at(epochs)).with_steps(self.steps + more_steps);
        match self.steps + more_steps {
            1 => attack.with_step_size(StepSize::Relative(self.single_step_size)),
            _ => attack,
        }
    }

    /// The validating attack.
    pub(crate) fn validating(&self, epsilon: Epsilon) -> Pgd {
        Pgd::new(self.norm, epsilon).with_steps(VALIDATION_STEPS)
    }
}

/// Number of `samples` that `model` classifies correctly under `attack`.
pub(crate) fn n_robust(
    model: &dyn Differentiable,
    attack: &Pgd,
    samples: &Samples,
    seed: u64,
) -> Result<usize, TrainError> {
    let found = attack.perturb(&TargetModel::new(model), samples, seed)?;
    let right = is_correct(model, &found.images, &samples.labels);
    Ok(right.into_iter().filter(|right| *right).count())
}

/// Whether `model` has overfitted to `attack`: its accuracy under it is much higher than under the
/// validating attack of the same radius.
pub(crate) fn is_overfitted(
    adversary: &Adversary,
    model: &dyn Differentiable,
    attack: &Pgd,
    samples: &Samples,
    seed: u64,
) -> Result<bool, TrainError> {
    let trained = n_robust(model, attack, samples, seed)?;
    let measured = n_robust(model, &adversary.validating(attack.epsilon), samples, seed)?;
    Ok(trained as f64 - measured as f64 > adversary.guard_gap * samples.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tensor};
    use cifake::{Classifier, Label};

    #[test]
    fn the_radius_rises_to_its_value() {
        let adversary = Adversary { ramp_epochs: 2.0, ..Adversary::default() };
        let radii = [0.0, 1.0, 2.0, 9.0].map(|epochs| adversary.epsilon_at(epochs).value() * 255.0);
        assert_eq!(radii, [0.0, 1.0, 2.0, 2.0]);
        let at_once = Adversary { ramp_epochs: 0.0, ..adversary };
        assert_eq!(at_once.epsilon_at(0.0), at_once.epsilon);
    }

    #[test]
    fn an_added_step_makes_the_steps_shorter() {
        let adversary = Adversary::default();
        let size = |more| adversary.attack_at(9.0, more).step_size;
        assert_eq!(size(0), StepSize::Relative(1.25));
        assert_eq!(size(4), StepSize::Relative(0.5));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Adversary::default().validate(), Ok(()));
        let broken = [
            Adversary { steps: 0, ..Adversary::default() },
            Adversary { steps: usize::MAX, ..Adversary::default() },
            Adversary { share: 0.0, ..Adversary::default() },
            Adversary { trades: f64::NAN, ..Adversary::default() },
            Adversary { trades: 1.0, share: 0.5, ..Adversary::default() },
        ];
        assert!(broken.iter().all(|adversary| adversary.validate().is_err()));
    }

    /// A model whose margin is negative in a narrow ditch around each picture. A single step crosses
    /// the ditch; several steps find its bottom.
    struct Ditch;

    impl Classifier for Ditch {
        fn logits(&self, images: Tensor<4>) -> Tensor<2> {
            let [batch, channels, height, width] = images.dims();
            let mean = images.reshape([batch, channels * height * width]).mean_dim(1) - 0.5;
            // The bottom at 0.02, back above 0 at 0.04.
            let margin = (mean - 0.02).abs() - 0.01;
            Tensor::cat(vec![-margin.clone(), margin], 1)
        }
    }

    impl Differentiable for Ditch {}

    #[test]
    fn a_model_that_resists_one_step_alone_is_detected() {
        let samples = Samples::new(
            Tensor::<4>::ones([8, 3, 4, 4], &Device::flex()) * 0.5,
            vec![Label::Fake; 8],
            (0..8).collect(),
        );
        let epsilon = Epsilon::new(0.045).expect("it is finite");
        let adversary =
            Adversary { epsilon, single_step_size: 2.0, ramp_epochs: 0.0, ..Adversary::default() };
        let overfitted = |more_steps| {
            let attack = adversary.attack_at(1.0, more_steps);
            is_overfitted(&adversary, &Ditch, &attack, &samples, 1).expect("it has gradients")
        };
        assert!(overfitted(0));
        assert!(!overfitted(19));
    }
}
