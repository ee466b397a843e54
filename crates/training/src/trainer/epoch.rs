//! The end of an epoch: validation, the row of the history, and the weight files.

use std::collections::BTreeMap;

use cifake::balanced_sample;
use cifake::weights::{Precision, save_configured};
use cifake_eval::metrics;

use super::Trainer;
use crate::adversary::n_robust;
use crate::calibration::{mean_cross_entropy, validation_scores};
use crate::history::{Row, to_csv};
use crate::network::Evaluated;
use crate::record::TrainedOn;
use crate::{Network, TrainError};

impl<N: Network> Trainer<N> {
    /// Validates the averaged weights, writes the row, the weights and the table.
    pub(super) fn finish_epoch(&mut self, learning_rate: f64) -> Result<(), TrainError> {
        let model = self.averaged();
        let scores = validation_scores(&model, &self.validation, &self.device);
        let labels = self.validation.labels();
        let validation_loss = mean_cross_entropy(&scores, labels);
        if !validation_loss.is_finite() {
            let (what, step) = ("the validation loss".to_owned(), self.progress.step);
            return Err(TrainError::Diverged { what, step });
        }
        let sums = std::mem::take(&mut self.progress.sums);
        let n_steps = sums.n_steps.max(1) as f64;
        let row = Row {
            epoch: self.progress.step / self.steps_per_epoch(),
            step: self.progress.step,
            learning_rate,
            train_loss: sums.loss / n_steps,
            gradient_norm: sums.norm / n_steps,
            validation_loss,
            validation_accuracy: metrics::accuracy(&scores, labels, 0.0)?,
            validation_auc: metrics::auc(&scores, labels)?,
            robust_accuracy: self.robust_accuracy(&model)?,
            attack_steps: self.attack().map(|attack| attack.steps),
        };
        let merit = |row: &Row| row.robust_accuracy.unwrap_or(row.validation_auc);
        let best = self.progress.history.iter().all(|other| merit(&row) > merit(other));
        self.progress.history.push(row);
        self.save_weights(&model, "last.safetensors")?;
        if best {
            self.save_weights(&model, "best.safetensors")?;
        }
        let csv = to_csv(&self.progress.history);
        Ok(cifake::file::write_atomic(&self.folder.join("metrics.csv"), csv.as_bytes())?)
    }

    /// Of validation pictures in the adversary's whole ball; the same pictures after each epoch.
    fn robust_accuracy(&self, model: &N) -> Result<Option<f64>, TrainError> {
        let Some(adversary) = &self.config.adversary else { return Ok(None) };
        let seed = self.config.seed;
        let chosen = balanced_sample(self.validation.labels(), adversary.validation, seed);
        let attack = adversary.validating(adversary.epsilon);
        let model = Evaluated::new(model);
        let mut n_right = 0;
        for part in chosen.chunks(self.config.batch_size) {
            let samples = self.validation.samples(part, &self.device);
            n_right += n_robust(&model, &attack, &samples, seed)?;
        }
        Ok(Some(n_right as f64 / chosen.len() as f64))
    }

    fn save_weights(&self, model: &N, name: &str) -> Result<(), TrainError> {
        let path = self.folder.join(name);
        let row = self.progress.history.last().expect("weights are saved after an epoch");
        let json = |json: Result<String, _>| json.expect("plain data has a JSON form");
        let mut notes = BTreeMap::from([
            ("recipe".to_owned(), json(serde_json::to_string(&self.config))),
            ("epoch".to_owned(), json(serde_json::to_string(row))),
        ]);
        if self.teacher.is_some() {
            let teacher = json(serde_json::to_string(&self.progress.teacher));
            notes.insert("teacher".to_owned(), teacher);
        }
        if let Some(record) = &self.record {
            notes.insert(TrainedOn::KEY.to_owned(), record.to_json());
        }
        save_configured(model, &self.model_config, &notes, Precision::F32, &path)?;
        Ok(())
    }
}
