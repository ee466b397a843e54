//! The loop: draw a batch, step, average, validate, write down.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use cifake::weights::Precision;
use cifake::{Label, metrics};
use rand::Rng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::TrainError;
use super::augment::sample_rng;
use super::calibration::validation_scores;
use super::checkpoint::{Checkpoint, Progress};
use super::config::TrainConfig;
use super::examples::Examples;
use super::history::{EpochSums, Row, to_csv};
use super::loss::cross_entropy;
use super::optimizer::OptimizerState;
use super::order::epoch_order;
use super::parameters::Layout;
use crate::config::TinyVitConfig;
use crate::drop_path::DropPath;
use crate::model::{TinyVit, drop_rates};
use crate::weight_file;

/// Purpose of the seeds of stochastic depth, apart from the other draws.
const DROP_PATH: u64 = 2;

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
    /// An epoch is done and validated; all rows so far.
    Epoch(&'a [Row]),
    /// A checkpoint stands on the disk.
    Checkpoint(&'a Path),
}

/// A training run in a folder.
pub struct Trainer {
    config: TrainConfig,
    model_config: TinyVitConfig,
    train: Examples,
    validation: Examples,
    folder: PathBuf,
    device: Device,
    model: TinyVit,
    layout: Layout,
    weights: Vec<f32>,
    state: OptimizerState,
    progress: Progress,
    order: Vec<usize>,
}

impl Trainer {
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
        model_config: TinyVitConfig,
        model: Option<TinyVit>,
        [train, validation]: [Examples; 2],
        folder: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        config.validate().and_then(|()| model_config.validate()).map_err(TrainError::Config)?;
        if train.len() < config.batch_size {
            let reason = format!("{} pictures are fewer than one batch", train.len());
            return Err(TrainError::Config(reason));
        }
        let progress = Progress {
            config: config.clone(),
            model: model_config.clone(),
            data: fingerprint(&train, &validation),
            step: 0,
            sums: EpochSums::default(),
            history: Vec::new(),
        };
        let model = model.unwrap_or_else(|| model_config.init(config.seed, device));
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
            let heard =
                listener(Event::Step { step, n_steps, loss, learning_rate, images_per_second });
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
    pub fn averaged(&self) -> TinyVit {
        self.layout.write(self.model.valid(), &self.state.average)
    }

    fn steps_per_epoch(&self) -> usize {
        self.train.len() / self.config.batch_size
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
        let (images, targets) = self.batch(samples, epoch);
        let taken = self.drop_path(samples, epoch);
        let scores = self.model.forward_train(Tensor::from_inner(images), &taken);
        let loss = cross_entropy(scores, &targets, self.config.label_smoothing);
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

    fn batch(&self, samples: &[usize], epoch: usize) -> (Tensor<4>, Vec<f32>) {
        let (seed, augment) = (self.config.seed, &self.config.augment);
        let draw = |&sample: &usize| augment.draw(&self.train, seed, epoch, sample);
        let drawn: Vec<_> = samples.par_iter().map(draw).collect();
        let pixels: Vec<f32> = drawn.iter().flat_map(|d| d.pixels.iter().copied()).collect();
        let targets = drawn.iter().map(|d| d.target).collect();
        let side = self.train.side();
        let data = TensorData::new(pixels, [samples.len(), 3, side, side]);
        (self.model.resized(Tensor::from_data(data, &self.device)), targets)
    }

    fn drop_path(&self, samples: &[usize], epoch: usize) -> DropPath {
        let seed =
            |&sample: &usize| sample_rng(self.config.seed, epoch, sample, DROP_PATH).next_u64();
        let seeds: Vec<u64> = samples.iter().map(seed).collect();
        DropPath::draw(&drop_rates(&self.model_config), &seeds, &self.device.clone().autodiff())
    }

    /// Validates the averaged weights, writes the row, the weights and the table.
    fn finish_epoch(&mut self, learning_rate: f64) -> Result<(), TrainError> {
        let model = self.averaged();
        let scores = validation_scores(&model, &self.validation);
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
        };
        let best = self.progress.history.iter().all(|r| row.validation_auc > r.validation_auc);
        self.progress.history.push(row);
        self.save_weights(&model, "last.safetensors")?;
        if best {
            self.save_weights(&model, "best.safetensors")?;
        }
        let csv = to_csv(&self.progress.history);
        Ok(cifake::file::write_atomic(&self.folder.join("metrics.csv"), csv.as_bytes())?)
    }

    fn save_weights(&self, model: &TinyVit, name: &str) -> Result<(), TrainError> {
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
        weight_file::save(model, &self.model_config, &notes, Precision::F32, &path)?;
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
        if checkpoint.weights.len() != self.layout.n_values() {
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
            hash.update(examples.pixels(idx));
            hash.update([examples.label(idx).index() as u8]);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
