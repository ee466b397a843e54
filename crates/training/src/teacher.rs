//! Networks that are done learning, of which another one learns.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use cifake::weights::{Checkpoint, Source, configured_from};
use serde::{Deserialize, Serialize};

use crate::network::{Compiled, Evaluated};
use crate::{Network, TrainError};

/// Side of the picture that tells how many outputs a teacher has.
const PROBE_SIDE: usize = 32;

/// Section `train.teacher` of a recipe: a network also learns what others answer (Hinton et al. 2015,
/// arXiv 1503.02531).
///
/// The loss is `(1 - weight) H(labels, student) + weight T^2 KL(teacher(T) || student(T))`: cross-entropy
/// against the labels and the divergence of both answers at the temperature `T`, whose square keeps
/// the gradient's size whatever `T` is. Label smoothing and mixtures move the labels. The teacher sees
/// the picture as it was augmented and mixed, so that its answer is a soft target already and is taken
/// as it is. With `T = 1` the gradient is that of the cross-entropy against
/// `(1 - weight) label + weight answer`. Where an adversary attacks, the teacher sees the picture
/// before the attack (Goldblum et al. 2020, arXiv 1905.09747).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// Weight files, of which several teach by the mean of their logits. A relative path begins at
    /// the recipe; see also [`Stage`](crate::Stage) for `{extra}` and `{out}`.
    pub weights: Vec<String>,
    /// What logits of both are divided by, above 0; a higher one tells more of how sure the teacher is.
    pub temperature: f64,
    /// Share of the loss that is the divergence, above 0 and at most 1.
    pub weight: f64,
}

impl Distillation {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.weights.is_empty() {
            return Err("teacher: weights must name at least one file".into());
        }
        if !self.temperature.is_finite() || self.temperature <= 0.0 {
            return Err("teacher: temperature must be positive".into());
        }
        if !(self.weight > 0.0 && self.weight <= 1.0) {
            return Err("teacher: weight must be above 0 and at most 1".into());
        }
        Ok(())
    }
}

/// Networks with their weights, which answer together.
#[derive(Default)]
pub struct Teacher {
    members: Vec<Compiled>,
    sha256: Vec<String>,
}

impl Teacher {
    /// The networks of kind `N` in `paths` on `device`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is of no such network with one output or two.
    pub fn of<N, P>(paths: &[P], device: &Device) -> Result<Self, TrainError>
    where
        N: Network + 'static,
        P: AsRef<Path>,
    {
        let mut teacher = Self::default();
        for path in paths {
            teacher.add::<N>(&Checkpoint::open(Source::File(path.as_ref()))?, device)?;
        }
        Ok(teacher)
    }

    /// Adds a network of kind `N` on `device`, compiled where it can be.
    ///
    /// # Errors
    ///
    /// A checkpoint of no such network with one output or two.
    pub fn add<N: Network + 'static>(
        &mut self,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<(), TrainError> {
        let (network, config) = configured_from::<N>(checkpoint, device)?;
        let probe = Tensor::zeros([1, 3, PROBE_SIDE, PROBE_SIDE], device);
        let [_, n_outputs] = network.valid().scores(probe).dims();
        if !matches!(n_outputs, 1 | 2) {
            let file = checkpoint.path().display();
            let reason = format!("{file} has {n_outputs} outputs where a teacher has 1 or 2");
            return Err(TrainError::Config(reason));
        }
        let member = match network.compiled(&config, device) {
            Some(compiled) => compiled,
            None => Box::new(Evaluated::new(&network)),
        };
        self.members.push(member);
        self.sha256.push(checkpoint.info().sha256.clone());
        Ok(())
    }

    /// SHA-256 of the weight files, in their order.
    #[must_use]
    pub fn sha256(&self) -> &[String] {
        &self.sha256
    }

    /// The mean of the members' logits, `[batch, 2]`, REAL and FAKE.
    pub(crate) fn logits(&self, images: &Tensor<4>) -> Tensor<2> {
        let each = self.members.iter().map(|member| member.logits(images.clone()));
        let sum = each.reduce(|sum, logits| sum + logits).expect("a teacher has members");
        sum / self.members.len() as f64
    }
}
