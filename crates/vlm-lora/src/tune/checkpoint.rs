//! The whole state of a run in one safetensors file, from which it goes on bit by bit.

use std::path::Path;

use cifake_optim::{Difference, Moments, first_difference, save_checkpoint};
use serde::{Deserialize, Serialize};

use super::config::TuningConfig;
use super::history::Row;
use crate::error::TrainingError;

/// The vectors in their order in the file.
const VECTORS: [&str; 3] = ["weights", "moment_1", "moment_2"];

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
        let values = [&self.weights, first, second].map(Vec::as_slice);
        let vectors: Vec<(&str, &[f32])> = VECTORS.into_iter().zip(values).collect();
        Ok(save_checkpoint(path, &self.progress, &vectors)?)
    }

    /// Reads a checkpoint of exactly this run, whose vectors have `len` values each.
    pub(crate) fn load(
        path: &Path,
        expected: &Progress,
        len: usize,
    ) -> Result<Self, TrainingError> {
        // Three vectors and a history, which takes some hundred bytes a step.
        let limit = 12 * len as u64 + (1 << 30);
        let file = cifake_optim::Checkpoint::open(path, &VECTORS, limit)?;
        let progress: Progress = file.progress()?;
        progress.must_belong_to(expected, path)?;
        let moments = Moments {
            first: file.vector("moment_1", len)?,
            second: file.vector("moment_2", len)?,
            step: progress.history.len(),
        };
        Ok(Self { weights: file.vector("weights", len)?, moments, progress })
    }
}

impl Progress {
    fn must_belong_to(&self, expected: &Self, path: &Path) -> Result<(), TrainingError> {
        let in_recipe = |difference: Difference| format!("recipe ({difference})");
        let differs = if self.model != expected.model {
            "base model or tower".to_owned()
        } else if let Some(difference) = first_difference(&self.config, &expected.config) {
            in_recipe(difference)
        } else if self.data != expected.data {
            "set of examples, share that is held out, set of pictures, size of pictures, or adapter to \
             start from"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(TrainingError::OtherRun { path: path.to_owned(), differs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peft::{LoraConfig, Modules};

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
