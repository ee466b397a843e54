//! Distillation: trained networks as teachers of another one.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use cifake::weights::{Checkpoint, Source, configured_from};
use serde::{Deserialize, Serialize};

use crate::network::{Compiled, Evaluated};
use crate::range::Range;
use crate::{Network, TrainError};

/// Side of the picture with which the outputs of a teacher are counted.
const PROBE_SIDE: usize = 32;

/// Section `train.teacher` of a recipe: distillation (Hinton et al. 2015, arXiv 1503.02531).
///
/// The loss is `(1 - weight) H(labels, student) + weight T^2 KL(teacher(T) || student(T))`: cross-entropy
/// against the labels, and the divergence of both answers at the temperature `T`. The factor `T^2`
/// keeps the size of the gradient. With `T = 1` the gradient is that of the cross-entropy against
/// `(1 - weight) label + weight answer`.
///
/// Label smoothing and mixtures change the labels alone. The teacher sees the augmented and mixed
/// picture, so that its answer is already a soft target. With an adversary the teacher sees the
/// picture before the attack (Goldblum et al. 2020, arXiv 1905.09747).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// Weight files; several teach by the mean of their logits. A relative path begins at the folder of
    /// the recipe. See [`Stage`](crate::Stage) for `{extra}` and `{out}`.
    pub weights: Vec<String>,
    /// Divisor of the logits of both, above 0 and at most 1000.
    pub temperature: f64,
    /// Weight of the divergence in the loss, above 0 and at most 1.
    pub weight: f64,
}

impl Distillation {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.weights.is_empty() {
            return Err("teacher: weights must name at least one file".into());
        }
        Range::Above(0.0, 1e3).check("teacher: temperature", self.temperature)?;
        Range::Above(0.0, 1.0).check("teacher: weight", self.weight)
    }
}

/// One or several trained networks that answer by the mean of their logits.
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
    /// A file that cannot be read, or that holds no such network with one or two outputs.
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
    /// A checkpoint that holds no such network with one or two outputs.
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
