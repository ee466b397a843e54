//! The progress of a run, in one line of a file that other programs may read at any time.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::{Event, TrainError};

/// The progress of a run and of its queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct State {
    /// Name of the run.
    pub name: String,
    /// The run's place in its queue, from 1.
    pub stage: usize,
    /// Runs of the queue.
    pub n_stages: usize,
    /// Epochs done.
    pub epoch: usize,
    /// Epochs of the run.
    pub n_epochs: usize,
    /// Steps done.
    pub step: usize,
    /// Steps of the run.
    pub n_steps: usize,
    /// Pictures trained on a second, as an exponential moving average.
    pub images_per_second: f64,
    /// Accuracy on the validation set after the last epoch.
    pub validation_accuracy: Option<f64>,
    /// Seconds to the end of the run, validation included, at the pace since it was started.
    pub seconds_left: Option<f64>,
    /// Epochs of the runs after this one.
    pub epochs_after: usize,
    /// Seconds to the end of the queue, if its other epochs take as long as this run's.
    pub seconds_left_in_queue: Option<f64>,
    #[serde(skip)]
    begun: Option<(Instant, usize)>,
}

impl State {
    /// The state of the run `name` before any [`Event`]. It is the `stage`-th of `n_stages` (from 1);
    /// the runs after it have `epochs_after` epochs together.
    #[must_use]
    pub fn new(name: &str, [stage, n_stages]: [usize; 2], epochs_after: usize) -> Self {
        Self {
            name: name.to_owned(),
            stage,
            n_stages,
            epoch: 0,
            n_epochs: 0,
            step: 0,
            n_steps: 0,
            images_per_second: 0.0,
            validation_accuracy: None,
            seconds_left: None,
            epochs_after,
            seconds_left_in_queue: None,
            begun: None,
        }
    }

    /// The state of a run with `n_epochs` epochs and `n_steps` steps, of which `step` are done.
    #[must_use]
    pub fn with_run(mut self, n_epochs: usize, n_steps: usize, step: usize) -> Self {
        (self.n_epochs, self.n_steps, self.step) = (n_epochs, n_steps, step);
        self.epoch = step * n_epochs / n_steps.max(1);
        self.begun = Some((Instant::now(), step));
        self
    }

    /// Updates the state by `event`.
    pub fn update(&mut self, event: &Event) {
        match event {
            Event::Step { step, images_per_second, .. } => {
                self.step = *step;
                self.epoch = step * self.n_epochs / self.n_steps.max(1);
                self.images_per_second = *images_per_second;
                self.estimate();
            }
            Event::Epoch(rows) => {
                self.validation_accuracy = rows.last().map(|row| row.validation_accuracy);
            }
            Event::AttackStrengthened { .. } | Event::Checkpoint(_) => {}
        }
    }

    fn estimate(&mut self) {
        let Some((begun, first)) = self.begun.filter(|(_, first)| self.step > *first) else {
            return;
        };
        let a_step = begun.elapsed().as_secs_f64() / (self.step - first) as f64;
        let left = a_step * self.n_steps.saturating_sub(self.step) as f64;
        let an_epoch = a_step * self.n_steps as f64 / self.n_epochs.max(1) as f64;
        self.seconds_left = Some(left);
        self.seconds_left_in_queue = Some(left + an_epoch * self.epochs_after as f64);
    }

    /// Writes the state to `path` as one line of JSON, whole or not at all.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        Ok(cifake::file::write_atomic(path, &line(self))?)
    }
}

/// The state as a line of a log.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, stage, n_stages, epoch, n_epochs, step, n_steps, .. } = self;
        write!(f, "{name} ({stage}/{n_stages}): epoch {epoch}/{n_epochs}, step {step}/{n_steps}")?;
        write!(f, ", {:.0} images/s", self.images_per_second)?;
        if let Some(accuracy) = self.validation_accuracy {
            write!(f, ", validation accuracy {:.2} %", 100.0 * accuracy)?;
        }
        if let Some(seconds) = self.seconds_left {
            write!(f, ", {:.1} min left", seconds / 60.0)?;
        }
        match self.seconds_left_in_queue.filter(|_| self.epochs_after > 0) {
            Some(seconds) => write!(f, ", about {:.1} min of the queue", seconds / 60.0),
            None => Ok(()),
        }
    }
}

/// `value` as one line of JSON.
pub(crate) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain data has a JSON form");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize) -> Event<'static> {
        Event::Step { step, n_steps: 40, loss: 0.5, learning_rate: 1e-3, images_per_second: 8.0 }
    }

    #[test]
    fn a_state_follows_its_run_and_is_one_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.json");
        let mut state = State::new("second", [2, 3], 8).with_run(4, 40, 10);
        assert_eq!((state.epoch, state.seconds_left), (1, None));
        std::thread::sleep(std::time::Duration::from_millis(20));
        state.update(&step(20));
        let left = state.seconds_left.expect("ten steps were heard of");
        assert!(left >= 0.04, "{left}");
        let queue = state.seconds_left_in_queue.expect("as above");
        // Twenty steps are left of this run, eighty after it.
        assert!((queue / left - 5.0).abs() < 1e-6, "{queue} {left}");
        state.write(&path).expect("room");
        let text = std::fs::read_to_string(&path).expect("it was written");
        assert_eq!(text.lines().count(), 1);
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((read["epoch"].as_u64(), read["step"].as_u64()), (Some(2), Some(20)));
        assert!(state.to_string().starts_with("second (2/3): epoch 2/4, step 20/40, 8 images/s"));
    }
}
