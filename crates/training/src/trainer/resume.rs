//! Checkpoints of a run.

use std::path::PathBuf;

use super::Trainer;
use crate::checkpoint::Checkpoint;
use crate::order::epoch_order;
use crate::{Network, TrainError};

impl<N: Network> Trainer<N> {
    pub(super) fn checkpoint(&self) -> Result<PathBuf, TrainError> {
        let path = self.checkpoint_path();
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            weights: self.weights.clone(),
            state: self.state.clone(),
        };
        checkpoint.save(&path)?;
        Ok(path)
    }

    pub(super) fn checkpoint_path(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    pub(super) fn resume(&mut self) -> Result<(), TrainError> {
        let path = self.checkpoint_path();
        if !path.exists() {
            return Ok(());
        }
        let checkpoint = Checkpoint::load(&path, &self.progress, self.layout.n_values())?;
        self.model = self.layout.write(self.model.clone(), &checkpoint.weights);
        self.weights = checkpoint.weights;
        self.state = checkpoint.state;
        self.progress = checkpoint.progress;
        let epoch = self.progress.step / self.steps_per_epoch();
        self.order = epoch_order(self.train.len(), self.config.seed, epoch);
        Ok(())
    }
}
