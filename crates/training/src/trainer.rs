//! The loop: draw a batch, step, average, validate, write down.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use cifake::weights::{Precision, save_configured};
use cifake::{Label, balanced_sample, metrics};
use cifake_attacks::Pgd;
use sha2::{Digest, Sha256};

use crate::adversary::{N_GUARD, is_fooled, n_robust};
use crate::calibration::validation_scores;
use crate::checkpoint::{Checkpoint, Progress};
use crate::config::TrainConfig;
use crate::examples::Examples;
use crate::history::{EpochSums, Row, to_csv};
use crate::network::Evaluated;
use crate::optimizer::OptimizerState;
use crate::order::epoch_order;
use crate::parameters::Layout;
use crate::step::Batch;
use crate::{Network, TrainError};

/// What a run tells while it goes on.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A step is done.
    Step {
        /// Steps done, of `n_steps`.
        step: usize,
        /// Steps of the whole run.
        n_steps: usize,
        /// Loss of the step.
        loss: f64,
        /// Learning rate of the step.
        learning_rate: f64,
        /// Pictures trained on a second, a mean of the last steps that forgets.
        images_per_second: f64,
    },
    /// The guard found the model hiding from the adversary, which takes this many steps from now on.
    Fooled {
        /// Its steps.
        attack_steps: usize,
    },
    /// An epoch is done and validated; all rows so far.
    Epoch(&'a [Row]),
    /// A checkpoint stands on the disk.
    Checkpoint(&'a Path),
}

/// A training run in a folder.
pub struct Trainer<N: Network> {
    config: TrainConfig,
    model_config: N::Config,
    train: Examples,
    validation: Examples,
    folder: PathBuf,
    device: Device,
    model: N,
    layout: Layout,
    weights: Vec<f32>,
    state: OptimizerState,
    progress: Progress<N::Config>,
    order: Vec<usize>,
}

impl<N: Network> Trainer<N> {
    /// A run in `folder`, which goes on where the folder's checkpoint stands, if there is one, and
    /// otherwise starts from `model`, or from weights drawn from the seed.
    ///
    /// Trains on `device` (a plain one, not autodiff).
    ///
    /// # Errors
    ///
    /// A configuration that cannot be run; a checkpoint that is broken or of another run.
    pub fn new(
        config: TrainConfig,
        model_config: N::Config,
        model: Option<N>,
        [train, validation]: [Examples; 2],
        folder: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        config.validate().and_then(|()| N::validate(&model_config)).map_err(TrainError::Config)?;
        if train.len() < config.batch_size {
            let reason = format!("{} pictures are fewer than one batch", train.len());
            return Err(TrainError::Config(reason));
        }
        let progress = Progress {
            config: config.clone(),
            model: model_config.clone(),
            data: fingerprint(&train, &validation),
            step: 0,
            more_attack_steps: 0,
            sums: EpochSums::default(),
            history: Vec::new(),
        };
        let model = model.unwrap_or_else(|| N::draw(&model_config, config.seed, device));
        let layout = Layout::of(&model);
        let weights = layout.read(&model);
        let mut trainer = Self {
            state: OptimizerState::new(&weights),
            order: epoch_order(train.len(), config.seed, 0),
            model: model.train(),
            folder: folder.to_owned(),
            device: device.clone(),
            config,
            model_config,
            train,
            validation,
            layout,
            weights,
            progress,
        };
        trainer.resume()?;
        Ok(trainer)
    }

    /// Steps done so far: more than 0 where a checkpoint was found.
    #[must_use]
    pub fn step(&self) -> usize {
        self.progress.step
    }

    /// Steps of the whole run.
    #[must_use]
    pub fn n_steps(&self) -> usize {
        self.config.epochs * self.steps_per_epoch()
    }

    /// The rows of the epochs done so far.
    #[must_use]
    pub fn history(&self) -> &[Row] {
        &self.progress.history
    }

    /// Trains to the end, or until `listener` breaks off, in which case a checkpoint is written.
    ///
    /// # Errors
    ///
    /// [`TrainError::Diverged`], or a file that cannot be written.
    pub fn run(
        &mut self,
        listener: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        let mut saved = Instant::now();
        let mut images_per_second = 0.0;
        let first = self.progress.step;
        while self.progress.step < self.n_steps() {
            let begun = Instant::now();
            let (loss, learning_rate) = self.train_step()?;
            let (step, n_steps) = (self.progress.step, self.n_steps());
            let speed = self.config.batch_size as f64 / begun.elapsed().as_secs_f64();
            images_per_second += (speed - images_per_second) / (step - first).min(20) as f64;
            let mut heard =
                listener(Event::Step { step, n_steps, loss, learning_rate, images_per_second });
            if let Some(attack_steps) = self.guard()? {
                let fooled = listener(Event::Fooled { attack_steps });
                heard = if heard.is_break() { heard } else { fooled };
            }
            let epoch_done = step.is_multiple_of(self.steps_per_epoch());
            if epoch_done {
                self.finish_epoch(learning_rate)?;
            }
            if epoch_done || heard.is_break() || self.checkpoint_is_due(saved.elapsed()) {
                let path = self.checkpoint()?;
                saved = Instant::now();
                let _ = listener(Event::Checkpoint(&path));
            }
            if epoch_done && listener(Event::Epoch(&self.progress.history)).is_break()
                || heard.is_break()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The averaged weights as a model in evaluation mode.
    #[must_use]
    pub fn averaged(&self) -> N {
        self.layout.write(self.model.valid(), &self.state.average)
    }

    fn steps_per_epoch(&self) -> usize {
        self.train.len() / self.config.batch_size
    }

    /// The adversary's attack as it is now.
    fn attack(&self) -> Option<Pgd> {
        let epochs = self.progress.step as f64 / self.steps_per_epoch() as f64;
        let adversary = self.config.adversary.as_ref()?;
        Some(adversary.attack_at(epochs, self.progress.more_attack_steps))
    }

    fn checkpoint_is_due(&self, since: Duration) -> bool {
        let every = self.config.checkpoint_steps;
        since.as_secs_f64() >= self.config.checkpoint_minutes * 60.0
            || every > 0 && self.progress.step.is_multiple_of(every)
    }

    fn train_step(&mut self) -> Result<(f64, f64), TrainError> {
        let step = self.progress.step;
        let (epoch, place) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        if place == 0 {
            self.order = epoch_order(self.train.len(), self.config.seed, epoch);
        }
        let samples = &self.order[place * self.config.batch_size..][..self.config.batch_size];
        let batch = Batch::draw(&self.config, &self.train, samples, epoch, &self.device);
        let attack = self.attack();
        let loss = batch.loss(&self.model, &self.model_config, &self.config, attack.as_ref())?;
        let gradients = loss.backward();
        let value = f64::from(loss.into_scalar::<f32>());
        if !value.is_finite() {
            return Err(TrainError::Diverged { what: "the loss".into(), step });
        }
        let gradient = self.layout.gradients(&self.model, &gradients);
        drop(gradients);
        if let Some(path) = self.layout.first_not_finite(&gradient) {
            return Err(TrainError::Diverged { what: format!("the gradient of {path}"), step });
        }
        // `valid` takes over the running statistics that the forward pass left pending.
        self.weights = self.layout.read(&self.model.valid());
        let rate = self.config.learning_rate_at(step, self.steps_per_epoch());
        let weights = &mut self.weights;
        let norm = self.state.update(&self.layout, weights, &gradient, &self.config, rate);
        self.model = self.layout.write(self.model.clone(), &self.weights);
        self.progress.step += 1;
        self.progress.sums.loss += value;
        self.progress.sums.norm += norm;
        self.progress.sums.n_steps += 1;
        Ok((value, rate))
    }

    /// Every so many steps, adds a step to an adversary from which the model hides; returns its
    /// steps then.
    fn guard(&mut self) -> Result<Option<usize>, TrainError> {
        let Some((adversary, attack)) = self.config.adversary.as_ref().zip(self.attack()) else {
            return Ok(None);
        };
        let every = adversary.guard_steps;
        if every == 0 || !self.progress.step.is_multiple_of(every) {
            return Ok(None);
        }
        let (step, seed) = (self.progress.step, self.config.seed);
        let chosen = balanced_sample(self.validation.labels(), N_GUARD, seed ^ step as u64);
        let samples = self.validation.samples(&chosen, &self.device);
        let model = Evaluated::new(&self.model);
        if !is_fooled(adversary, &model, &attack, &samples, seed)? {
            return Ok(None);
        }
        self.progress.more_attack_steps += 1;
        Ok(Some(attack.steps + 1))
    }

    /// Validates the averaged weights, writes the row, the weights and the table.
    fn finish_epoch(&mut self, learning_rate: f64) -> Result<(), TrainError> {
        let model = self.averaged();
        let scores = validation_scores(&model, &self.validation, &self.device);
        let labels = self.validation.labels();
        let sums = std::mem::take(&mut self.progress.sums);
        let n_steps = sums.n_steps.max(1) as f64;
        let row = Row {
            epoch: self.progress.step / self.steps_per_epoch(),
            step: self.progress.step,
            learning_rate,
            train_loss: sums.loss / n_steps,
            gradient_norm: sums.norm / n_steps,
            validation_loss: mean_cross_entropy(&scores, labels),
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
        let notes = [
            ("recipe", serde_json::to_string(&self.config)),
            ("epoch", serde_json::to_string(row)),
        ];
        let note = |(key, json): (&str, Result<String, _>)| {
            (key.to_owned(), json.expect("plain data has a JSON form"))
        };
        let notes = notes.into_iter().map(note).collect();
        save_configured(model, &self.model_config, &notes, Precision::F32, &path)?;
        Ok(())
    }

    fn checkpoint(&self) -> Result<PathBuf, TrainError> {
        let path = self.checkpoint_path();
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            weights: self.weights.clone(),
            state: self.state.clone(),
        };
        checkpoint.save(&path)?;
        Ok(path)
    }

    fn checkpoint_path(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    fn resume(&mut self) -> Result<(), TrainError> {
        let path = self.checkpoint_path();
        if !path.exists() {
            return Ok(());
        }
        let checkpoint = Checkpoint::load(&path, &self.progress)?;
        if !checkpoint.has_vectors_of(self.layout.n_values()) {
            let reason = "its vectors have another length than the model".to_owned();
            return Err(TrainError::Checkpoint { path, reason });
        }
        self.model = self.layout.write(self.model.clone(), &checkpoint.weights);
        self.weights = checkpoint.weights;
        self.state = checkpoint.state;
        self.progress = checkpoint.progress;
        let epoch = self.progress.step / self.steps_per_epoch();
        self.order = epoch_order(self.train.len(), self.config.seed, epoch);
        Ok(())
    }
}

/// Mean cross-entropy of margins, in f64.
fn mean_cross_entropy(margins: &[f32], labels: &[Label]) -> f64 {
    let one = |(margin, label): (&f32, &Label)| {
        let z = f64::from(*margin) * if *label == Label::Fake { -1.0 } else { 1.0 };
        z.max(0.0) + (-z.abs()).exp().ln_1p()
    };
    margins.iter().zip(labels).map(one).sum::<f64>() / labels.len() as f64
}

/// Says which pictures and labels a run sees.
fn fingerprint(train: &Examples, validation: &Examples) -> String {
    let mut hash = Sha256::new();
    for examples in [train, validation] {
        for idx in 0..examples.len() {
            if let Some(picture) = examples.sized(idx) {
                hash.update([picture.width().to_le_bytes(), picture.height().to_le_bytes()].concat());
            }
            hash.update(examples.pixels(idx));
            hash.update([examples.label(idx).index() as u8]);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
