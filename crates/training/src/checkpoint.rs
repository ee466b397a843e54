//! The whole state of a run, from which it resumes bit for bit.

use std::path::Path;

use cifake::weights::sha256_hex;
use cifake_optim::{Moments, first_difference, save_checkpoint};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::config::TrainConfig;
use crate::history::{EpochSums, Row};
use crate::optimizer::OptimizerState;

/// The vectors in their order in the file.
const VECTORS: [&str; 4] = ["weights", "moment_1", "moment_2", "average"];
/// Largest checkpoint that is read: four vectors of a 21M model take 350 MB.
const MAX_BYTES: u64 = 2 << 30;

/// SHA-256 of weights as hexadecimal digits.
pub(crate) fn digest(weights: &[f32]) -> String {
    sha256_hex(&weights.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
}

/// The state of a run apart from its vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress<C> {
    /// The recipe; a checkpoint of another is refused.
    pub(crate) config: TrainConfig,
    /// The model; a checkpoint of another is refused.
    pub(crate) model: C,
    /// Fingerprint of the training set; a checkpoint of another is refused.
    pub(crate) data: String,
    /// SHA-256 of the teacher's weight files; a checkpoint of another is refused.
    #[serde(default)]
    pub(crate) teacher: Vec<String>,
    /// SHA-256 of the weights that the run began with; a checkpoint of others is refused. Checkpoints
    /// of version 1 do not record it.
    #[serde(default)]
    pub(crate) start: Option<String>,
    /// Steps taken.
    pub(crate) step: usize,
    /// Steps that the guard has added to the adversary's attack.
    #[serde(default)]
    pub(crate) more_attack_steps: usize,
    /// Sums over the steps of the present epoch.
    pub(crate) sums: EpochSums,
    /// A row for each finished epoch.
    pub(crate) history: Vec<Row>,
}

/// The state of a run after a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint<C> {
    pub(crate) progress: Progress<C>,
    pub(crate) weights: Vec<f32>,
    pub(crate) state: OptimizerState,
}

impl<C: PartialEq + Serialize + DeserializeOwned> Checkpoint<C> {
    /// Writes the file, whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<(), TrainError> {
        let Moments { first, second, .. } = &self.state.moments;
        let values = [&self.weights, first, second, &self.state.average];
        let vectors: Vec<(&str, &[f32])> =
            VECTORS.into_iter().zip(values.map(Vec::as_slice)).collect();
        Ok(save_checkpoint(path, &self.progress, &vectors)?)
    }

    /// Reads a checkpoint of exactly this recipe, model, data and start, whose vectors have
    /// `n_values` values each.
    pub(crate) fn load(
        path: &Path,
        expected: &Progress<C>,
        n_values: usize,
    ) -> Result<Self, TrainError> {
        let file = cifake_optim::Checkpoint::open(path, &VECTORS, MAX_BYTES)?;
        let progress: Progress<C> = file.progress()?;
        progress.must_belong_to(expected, path)?;
        let vector = |name: &str| file.vector(name, n_values);
        let moments = Moments {
            first: vector("moment_1")?,
            second: vector("moment_2")?,
            step: progress.step,
        };
        let state = OptimizerState { moments, average: vector("average")? };
        Ok(Self { weights: vector("weights")?, state, progress })
    }
}

impl<C: PartialEq + Serialize> Progress<C> {
    fn must_belong_to(&self, expected: &Self, path: &Path) -> Result<(), TrainError> {
        let in_field = |what: &str, difference: Option<cifake_optim::Difference>| {
            difference.map(|difference| format!("{what} ({difference})"))
        };
        let other_start = self.start.is_some() && self.start != expected.start;
        let differs = in_field("model", first_difference(&self.model, &expected.model))
            .or_else(|| in_field("recipe", first_difference(&self.config, &expected.config)))
            .or_else(|| (self.data != expected.data).then(|| "training set".to_owned()))
            .or_else(|| other_start.then(|| "set of weights to start from".to_owned()));
        match differs {
            Some(differs) => Err(TrainError::OtherRun { path: path.to_owned(), differs }),
            None => Ok(()),
        }
    }
}
