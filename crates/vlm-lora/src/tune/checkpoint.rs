//! The whole state of a run in one safetensors file, from which it goes on bit by bit.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::config::TuningConfig;
use super::history::Row;
use super::optimizer::Moments;
use crate::error::TrainingError;

/// Name of the progress among the file's tensors: JSON as bytes, since a header has limits.
const PROGRESS: &str = "progress";
/// Name of the checksum among them: 32 bytes over all others.
const CHECKSUM: &str = "sha256";

/// Everything of a run that is not a long vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The recipe; a checkpoint of another is refused.
    pub(crate) config: TuningConfig,
    /// Fingerprint of the base model and its tower; a checkpoint of another is refused.
    pub(crate) model: String,
    /// Fingerprint of the examples, their pictures, how these are shown, and the adapter's first weights;
    /// likewise.
    pub(crate) data: String,
    /// The steps that are done.
    pub(crate) history: Vec<Row>,
}

/// A run as it stands after a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint {
    pub(crate) progress: Progress,
    pub(crate) weights: Vec<f32>,
    pub(crate) moments: Moments,
}

impl Checkpoint {
    /// Writes the file, whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<(), TrainingError> {
        let Moments { first, second, .. } = &self.moments;
        let vectors = [("weights", &self.weights), ("moment_1", first), ("moment_2", second)];
        let vectors = vectors.map(|(name, values)| (name, bytes_of(values)));
        let progress = serde_json::to_vec(&self.progress).expect("plain data has a JSON form");
        let checksum = checksum(&progress, vectors.iter().map(|(_, bytes)| bytes.as_slice()));
        let floats = vectors.iter().map(|(name, bytes)| (*name, Dtype::F32, 4, bytes));
        let notes = [(PROGRESS, Dtype::U8, 1, &progress), (CHECKSUM, Dtype::U8, 1, &checksum)];
        let all = floats.chain(notes);
        let views = all.map(|(name, dtype, size, bytes)| {
            let view = TensorView::new(dtype, vec![bytes.len() / size], bytes);
            (name, view.expect("a vector has as many values as bytes of them"))
        });
        let bytes = serialize(views, None).expect("five vectors have a safetensors form");
        Ok(cifake::file::write_atomic(path, &bytes)?)
    }

    /// Reads a checkpoint of exactly this run, whose vectors have `len` values each.
    pub(crate) fn load(
        path: &Path,
        expected: &Progress,
        len: usize,
    ) -> Result<Self, TrainingError> {
        let broken = |reason: String| TrainingError::Checkpoint { path: path.to_owned(), reason };
        // Three vectors and a history, which takes some hundred bytes a step.
        let limit = 12 * len as u64 + (1 << 30);
        let bytes = cifake::file::read_limited(path, limit)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(error.to_string()))?;
        let data = |name: &str| {
            let view = file.tensor(name).map_err(|error| broken(error.to_string()))?;
            Ok::<_, TrainingError>(view.data().to_vec())
        };
        let vectors = [data("weights")?, data("moment_1")?, data("moment_2")?];
        let json = data(PROGRESS)?;
        if data(CHECKSUM)? != checksum(&json, vectors.iter().map(Vec::as_slice)) {
            return Err(broken("it is not what was written; it was damaged".to_owned()));
        }
        let progress: Progress =
            serde_json::from_slice(&json).map_err(|error| broken(error.to_string()))?;
        progress.must_belong_to(expected, path)?;
        let vector = |name: &str| vector(&file, name, len).map_err(broken);
        let moments = Moments {
            first: vector("moment_1")?,
            second: vector("moment_2")?,
            step: progress.history.len(),
        };
        Ok(Self { weights: vector("weights")?, moments, progress })
    }
}

impl Progress {
    fn must_belong_to(&self, expected: &Self, path: &Path) -> Result<(), TrainingError> {
        let differs = if self.model != expected.model {
            "base model or tower"
        } else if self.config != expected.config {
            "recipe"
        } else if self.data != expected.data {
            "set of examples or of pictures, another way to show them, or another adapter to begin with"
        } else {
            return Ok(());
        };
        Err(TrainingError::OtherRun { path: path.to_owned(), differs })
    }
}

/// Over the progress and the vectors, each with its length.
fn checksum<'a>(progress: &'a [u8], vectors: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [progress].into_iter().chain(vectors) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn vector(file: &SafeTensors, name: &str, len: usize) -> Result<Vec<f32>, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != Dtype::F32 || view.shape() != [len] {
        return Err(format!("{name} is no vector of {len} f32 values"));
    }
    let values: Vec<f32> =
        view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(values),
        false => Err(format!("{name} holds values that are not finite")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peft::{LoraConfig, Modules};

    /// A file of the same form as any: some hundred bytes of header, then the numbers.
    #[test]
    fn no_byte_of_a_checkpoint_can_change_unnoticed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("checkpoint.safetensors");
        let config = TuningConfig::new(LoraConfig::new(2, 4.0, Modules::all_linear()), 1e-3);
        let progress =
            Progress { config, model: "m".to_owned(), data: "d".to_owned(), history: vec![] };
        let moments = Moments { first: vec![0.5; 3], second: vec![0.25; 3], step: 0 };
        let weights = vec![1.0, 2.0, 3.0];
        let whole = Checkpoint { progress, weights, moments };
        whole.save(&path).expect("the folder is writable");
        let load = || Checkpoint::load(&path, &whole.progress, 3);
        assert_eq!(load().expect("it was just written"), whole);
        let bytes = std::fs::read(&path).expect("it was written");
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).expect("the folder is writable");
            let found = load();
            // White space of the header may become other white space.
            assert!(found.is_err() || found.is_ok_and(|found| found == whole), "byte {at}");
        }
    }
}
