//! The whole state of a run in one safetensors file, from which it goes on bit by bit.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::config::TrainConfig;
use crate::history::{EpochSums, Row};
use crate::optimizer::OptimizerState;

/// Key of the progress in the file's metadata.
const PROGRESS: &str = "progress";
/// Largest checkpoint that is read: four vectors of a 21M model take 350 MB.
const MAX_BYTES: u64 = 2 << 30;

/// Everything of a run that is not a long vector.
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
    /// Steps taken.
    pub(crate) step: usize,
    /// Steps that the guard has added to the adversary's.
    #[serde(default)]
    pub(crate) more_attack_steps: usize,
    /// What the epoch under way has summed up.
    pub(crate) sums: EpochSums,
    /// The epochs that are done.
    pub(crate) history: Vec<Row>,
}

/// A run as it stands after a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint<C> {
    pub(crate) progress: Progress<C>,
    pub(crate) weights: Vec<f32>,
    pub(crate) state: OptimizerState,
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

impl<C: PartialEq + Serialize + DeserializeOwned> Checkpoint<C> {
    /// Writes the file, whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<(), TrainError> {
        let vectors = [
            ("weights", bytes_of(&self.weights)),
            ("moment_1", bytes_of(&self.state.moment_1)),
            ("moment_2", bytes_of(&self.state.moment_2)),
            ("average", bytes_of(&self.state.average)),
        ];
        let shape = vec![self.weights.len()];
        let views = vectors.iter().map(|(name, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (*name, view.expect("four bytes a value"))
        });
        let progress = serde_json::to_string(&self.progress).expect("plain data has a JSON form");
        let metadata = [(PROGRESS.to_owned(), progress)].into();
        let bytes = serialize(views, Some(metadata)).expect("four vectors of one length");
        Ok(cifake::file::write_atomic(path, &bytes)?)
    }

    /// Whether weights, moments and average are of `len` values each.
    pub(crate) fn has_vectors_of(&self, len: usize) -> bool {
        let OptimizerState { moment_1, moment_2, average, .. } = &self.state;
        [&self.weights, moment_1, moment_2, average].iter().all(|vector| vector.len() == len)
    }

    /// Reads a checkpoint of exactly this recipe, model and data.
    pub(crate) fn load(path: &Path, expected: &Progress<C>) -> Result<Self, TrainError> {
        let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
        let broken = |reason: String| TrainError::Checkpoint { path: path.to_owned(), reason };
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| broken(error.to_string()))?;
        let progress = header.metadata().as_ref().and_then(|map| map.get(PROGRESS));
        let progress = progress.ok_or_else(|| broken("it holds no progress".into()))?;
        let progress: Progress<C> =
            serde_json::from_str(progress).map_err(|error| broken(error.to_string()))?;
        progress.must_belong_to(expected, path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(error.to_string()))?;
        let vector = |name: &str| vector(&file, name).map_err(&broken);
        let state = OptimizerState {
            moment_1: vector("moment_1")?,
            moment_2: vector("moment_2")?,
            average: vector("average")?,
            step: progress.step,
        };
        Ok(Self { weights: vector("weights")?, state, progress })
    }
}

impl<C: PartialEq> Progress<C> {
    fn must_belong_to(&self, expected: &Self, path: &Path) -> Result<(), TrainError> {
        let differs = if self.model != expected.model {
            "model"
        } else if self.config != expected.config {
            "recipe"
        } else if self.data != expected.data {
            "training set"
        } else {
            return Ok(());
        };
        Err(TrainError::OtherRun { path: path.to_owned(), differs })
    }
}

fn vector(file: &SafeTensors, name: &str) -> Result<Vec<f32>, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("{name} is not f32"));
    }
    let value = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four bytes"));
    let values: Vec<f32> = view.data().chunks_exact(4).map(value).collect();
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(values),
        false => Err(format!("{name} holds values that are not finite")),
    }
}
