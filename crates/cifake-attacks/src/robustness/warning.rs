//! Signs that a measured robustness cannot be trusted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::kit::{Goal, Loss, Objective, Samples, TargetModel, values};

/// Number of calls to compare.
const N_CALLS: usize = 5;
/// Two answers differ where a logit differs by more than this.
const SAME: f32 = 1e-4;
/// Share of pictures that a search alone may turn without a warning, as in AutoAttack.
const HIDDEN: f64 = 0.002;

/// A reason to doubt a measured robustness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The same picture got different answers. Attack the mean of several calls instead, see
    /// [`Averaged`](crate::Averaged).
    Randomized,
    /// The answers are probabilities, whose gradients vanish. Attacks need the scores before softmax.
    Probabilities,
    /// Some pictures have no gradient at all.
    ZeroGradients,
    /// Some gradients are not finite, so attacks cannot follow them.
    BrokenGradients,
    /// A black-box search turned pictures that gradient attacks had left: the gradients are masked
    /// (Athalye et al. 2018, arXiv 1802.00420).
    HiddenGradients,
    /// The answer for a picture depends on the rest of its batch, so an attack may not carry over to
    /// another batch.
    BatchDependent,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Randomized => "the same picture got different answers",
            Self::Probabilities => "the answers look like probabilities, not logits",
            Self::ZeroGradients => "some pictures have no gradient",
            Self::BrokenGradients => "some gradients are not finite",
            Self::HiddenGradients => {
                "a black-box search turned pictures that gradient attacks had left"
            }
            Self::BatchDependent => "an answer depends on the rest of its batch",
        })
    }
}

impl Warning {
    /// Whether a search alone turned more of `outcomes` than AutoAttack tolerates.
    pub(crate) fn is_hidden(outcomes: &[Outcome]) -> bool {
        let n_beyond = outcomes.iter().filter(|outcome| outcome.beyond_gradients).count();
        n_beyond as f64 > HIDDEN * outcomes.len() as f64
    }

    /// The warnings that follow from a model's answers to, and gradients at, clean `samples`.
    #[must_use]
    pub fn of_model(target: &TargetModel<'_>, samples: &Samples) -> Vec<Self> {
        let ask = |samples: &Samples| values(target.answers().logits(samples.images.clone()));
        let first = ask(samples);
        let mut warnings = Vec::new();
        if (1..N_CALLS).any(|_| farthest(&first, &ask(samples)) > SAME) {
            warnings.push(Self::Randomized);
        }
        let is_share = |pair: &[f32]| {
            pair.iter().all(|x| (0.0..=1.0).contains(x)) && (pair[0] + pair[1] - 1.0).abs() < SAME
        };
        if first.chunks_exact(2).all(is_share) {
            warnings.push(Self::Probabilities);
        }
        let alone = (0..samples.len()).flat_map(|i| ask(&samples.select(&[i])));
        if !warnings.contains(&Self::Randomized)
            && farthest(&first, &alone.collect::<Vec<_>>()) > SAME
        {
            warnings.push(Self::BatchDependent);
        }
        if let Ok(model) = target.gradients("") {
            let objective = Objective { goal: Goal::Untargeted, loss: Loss::CrossEntropy };
            let seen = objective.differentiate(model, &samples.images, &samples.labels);
            let gradients = values(seen.gradient);
            let len = gradients.len() / samples.len();
            if gradients.chunks_exact(len).any(|row| row.iter().all(|x| *x == 0.0)) {
                warnings.push(Self::ZeroGradients);
            }
            if gradients.iter().any(|x| !x.is_finite()) {
                warnings.push(Self::BrokenGradients);
            }
        }
        warnings
    }
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |far, (a, b)| far.max((a - b).abs()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use burn::tensor::{Device, Tensor, activation};
    use cifake::{Classifier, Differentiable, Label};

    use super::*;

    /// The fault of a model whose logits are the mean of a picture and its opposite.
    enum Broken {
        Nothing,
        Probabilities,
        Saturated,
        Endless,
        OfBatch,
        Random(AtomicUsize),
    }

    impl Classifier for Broken {
        fn logits(&self, images: Tensor<4>) -> Tensor<2> {
            let batch = images.dims()[0];
            let mean = images.reshape([batch as i32, -1]).mean_dim(1);
            let logits = Tensor::cat(vec![mean.clone(), -mean], 1);
            match self {
                Self::Nothing => logits,
                Self::Probabilities => activation::softmax(logits, 1),
                Self::Saturated => logits.sign(),
                // The root of 0 rises without end.
                Self::Endless => (logits.clone() * 0.0).sqrt() + logits,
                Self::OfBatch => logits * batch as f64,
                Self::Random(calls) => logits * (1 + calls.fetch_add(1, Ordering::Relaxed)) as f64,
            }
        }
    }

    impl Differentiable for Broken {}

    #[test]
    fn each_fault_is_told_and_soundness_is_not() {
        let images = Tensor::<4>::ones([2, 3, 2, 4], &Device::flex()) * 0.3;
        let samples = Samples::new(images, vec![Label::Real, Label::Fake], vec![0, 1]);
        let warnings = |model: Broken| Warning::of_model(&TargetModel::new(&model), &samples);
        assert_eq!(warnings(Broken::Nothing), []);
        assert_eq!(warnings(Broken::Probabilities), [Warning::Probabilities]);
        assert_eq!(warnings(Broken::Saturated), [Warning::ZeroGradients]);
        assert_eq!(warnings(Broken::Endless), [Warning::BrokenGradients]);
        assert_eq!(warnings(Broken::OfBatch), [Warning::BatchDependent]);
        assert_eq!(warnings(Broken::Random(AtomicUsize::new(0))), [Warning::Randomized]);
    }
}
