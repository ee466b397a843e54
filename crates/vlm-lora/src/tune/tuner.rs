//! The training loop.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use cifake_optim::{Group, Moments, Schedule};
use sha2::{Digest, Sha256};

use super::checkpoint::{Checkpoint, Progress};
use super::config::TuningConfig;
use super::gradient::loss_sum;
use super::history::{Row, to_jsonl};
use super::layout::{Layout, fingerprint};
use super::trainable::Trainable;
use super::workers::{Batch, Pass, Worker};
use crate::error::{Error, TrainingError};
use crate::lora::Adapter;
use crate::nn::split_mix;
use crate::peft::AdapterLimits;

/// The name under which the trained adapter is attached.
pub const TRAINED: &str = "default";
/// The state of a run in its folder.
const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// An event of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step is done.
    Step {
        /// The measurements of the step.
        row: &'a Row,
        /// Steps of the whole run.
        n_steps: usize,
        /// Tokens that carried loss a second, of this step.
        targets_per_second: f64,
    },
    /// A checkpoint stands on the disk.
    Checkpoint(&'a Path),
}

/// A fine-tuning run in a folder, which holds `checkpoint.safetensors`, `metrics.jsonl`, the adapter
/// in `adapter/`, and with held-out examples the best one in `best/`.
pub struct Tuner<'a, M: Trainable> {
    model: &'a mut M,
    config: TuningConfig,
    train: Vec<M::Example>,
    held_out: Vec<M::Example>,
    folder: PathBuf,
    device: Device,
    layout: Layout,
    groups: Vec<Group>,
    weights: Vec<f32>,
    moments: Moments,
    progress: Progress,
    schedule: Schedule,
    /// None computes on the model itself.
    team: Vec<Worker<M>>,
}

impl<'a, M: Trainable> Tuner<'a, M> {
    /// A run in `folder`. It continues from the folder's checkpoint, if there is one. Otherwise it
    /// begins with `start`, or with a new adapter drawn from the seed.
    ///
    /// `model` has its weights on `device` (a plain one, not autodiff); other adapters of it play no
    /// part. The trained one stays attached as [`TRAINED`].
    ///
    /// # Errors
    /// A recipe that cannot be run, an example without an answer or whose picture cannot be read, an
    /// adapter that does not fit; a checkpoint that is broken or of another run.
    pub fn new(
        model: &'a mut M,
        config: TuningConfig,
        start: Option<Adapter>,
        [train, held_out]: [Vec<M::Example>; 2],
        folder: &Path,
        device: &Device,
    ) -> Result<Self, Error> {
        let limits = AdapterLimits::default();
        config.check(&limits)?;
        if train.is_empty() {
            return Err(TrainingError::Empty.into());
        }
        let max_tokens = config.max_tokens;
        let mut all = train.iter().chain(&held_out);
        if let Some(example) = all.position(|example| model.n_targets(example) == 0) {
            return Err(TrainingError::NoAnswer { example, max_tokens }.into());
        }
        let adapter = match start {
            Some(adapter) => adapter,
            None => Adapter::draw(config.lora.clone(), model, config.seed, &limits)?,
        };
        let mut hash = Sha256::new();
        hash.update(adapter.to_safetensors());
        // With their numbers: an example that was learned may not become one that is held out.
        for set in [&train, &held_out] {
            hash.update((set.len() as u64).to_le_bytes());
            for example in set {
                model.digest(example, &mut |bytes| hash.update(bytes))?;
            }
        }
        let data = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let progress =
            Progress { config: config.clone(), model: fingerprint(model), data, history: vec![] };
        adapter.attach(model, TRAINED, device, &limits)?;
        crate::lora::activate(model, &[TRAINED])?;
        let (layout, weights) = Layout::of(model, TRAINED);
        let groups = match layout.groups(&config, &limits) {
            Ok(groups) => groups,
            Err(error) => {
                crate::lora::detach(model, TRAINED)?;
                return Err(error.into());
            }
        };
        let n_steps = config.epochs * train.len().div_ceil(config.examples_per_step());
        let mut tuner = Self {
            moments: Moments::new(layout.len),
            schedule: config.schedule(n_steps),
            folder: folder.to_owned(),
            device: device.clone(),
            model,
            config,
            train,
            held_out,
            layout,
            groups,
            weights,
            progress,
            team: Vec::new(),
        };
        if let Err(error) = tuner.resume() {
            crate::lora::detach(tuner.model, TRAINED)?;
            return Err(error.into());
        }
        Ok(tuner)
    }

    /// Computes `n_workers` batches side by side, each with its share of the current threads. No
    /// core then waits for the parts of a batch that run on one thread. Each worker takes a batch's
    /// memory. The result is the same to the bit.
    #[must_use]
    pub fn with_workers(mut self, n_workers: usize) -> Self {
        let n_batches = self.config.accumulation.min(n_workers);
        self.team = if n_batches > 1 { Worker::team(self.model, n_batches) } else { Vec::new() };
        self
    }

    /// Steps done so far: more than 0 where a checkpoint was found.
    #[must_use]
    pub fn step(&self) -> usize {
        self.progress.history.len()
    }

    /// Steps of the whole run.
    #[must_use]
    pub fn n_steps(&self) -> usize {
        self.config.epochs * self.steps_per_epoch()
    }

    /// Weights that are trained.
    #[must_use]
    pub fn n_trained(&self) -> usize {
        self.layout.len
    }

    /// The measurements of the steps done so far.
    #[must_use]
    pub fn history(&self) -> &[Row] {
        &self.progress.history
    }

    /// Trains to the end, or until `listener` breaks off. In both cases a checkpoint and the
    /// adapter are written. The adapter stays attached to the model as trained so far.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`], an example that cannot be prepared, or a file that cannot be
    /// written.
    pub fn run(&mut self, listener: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<(), Error> {
        let failed = |source| cifake::Error::Write { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        while self.step() < self.n_steps() {
            let begun = Instant::now();
            let row = self.train_step();
            if row.is_err() {
                self.layout.seed_dropout(self.model, None);
                self.layout.write(self.model, &self.weights, &self.device);
            }
            let mut row = row?;
            let seconds = begun.elapsed().as_secs_f64();
            let epoch_done = row.step.is_multiple_of(self.steps_per_epoch());
            if epoch_done && !self.held_out.is_empty() {
                let loss = self.validate()?;
                if !loss.is_finite() {
                    let what = "the loss of the held-out examples".to_owned();
                    return Err(TrainingError::Diverged { what, step: row.step }.into());
                }
                row.held_out_loss = Some(loss);
            }
            let targets_per_second = row.n_targets as f64 / seconds;
            let n_steps = self.n_steps();
            let heard = listener(Event::Step { row: &row, n_steps, targets_per_second });
            let every = self.config.checkpoint_steps;
            let due = every > 0 && row.step.is_multiple_of(every);
            self.progress.history.push(row);
            if epoch_done || due || heard.is_break() {
                let path = self.checkpoint()?;
                let _ = listener(Event::Checkpoint(&path));
            }
            if heard.is_break() {
                break;
            }
        }
        self.layout.write(self.model, &self.weights, &self.device);
        Adapter::of(self.model, TRAINED)?.save(&self.folder.join("adapter"))?;
        Ok(())
    }

    /// The adapter as it is now.
    ///
    /// # Panics
    /// Never: it is attached.
    #[must_use]
    pub fn adapter(&mut self) -> Adapter {
        Adapter::of(self.model, TRAINED).expect("the tuner attached it")
    }

    fn steps_per_epoch(&self) -> usize {
        self.train.len().div_ceil(self.config.examples_per_step())
    }

    fn train_step(&mut self) -> Result<Row, Error> {
        let (step, per_step) = (self.step(), self.config.examples_per_step());
        let (epoch, place) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        let order = epoch_order(self.train.len(), self.config.seed, epoch);
        let first = place * per_step;
        let chosen = &order[first..(first + per_step).min(order.len())];
        let n_targets = chosen.iter().map(|&i| self.model.n_targets(&self.train[i])).sum::<usize>();
        let batch = |(part, places): (usize, &[usize])| Batch {
            examples: places.iter().map(|&i| &self.train[i]).collect(),
            seed: split_mix(&mut (self.config.seed ^ ((step as u64) << 20 | part as u64))),
        };
        let batches: Vec<_> =
            chosen.chunks(self.config.batch_size).enumerate().map(batch).collect();
        let pass = Pass {
            layout: &self.layout,
            weights: &self.weights,
            device: &self.device,
            gradient_checkpointing: self.config.gradient_checkpointing,
            n_targets: n_targets as f64,
        };
        let (mut gradient, mut loss) = (vec![0.0; self.layout.len], 0.0);
        if self.team.is_empty() {
            for batch in &batches {
                loss += pass.add(self.model, batch, &mut gradient)?;
            }
            self.layout.seed_dropout(self.model, None);
        } else {
            loss = Worker::add_all(&mut self.team, pass, &batches, &mut gradient)?;
        }
        let diverged = |what: String| TrainingError::Diverged { what, step };
        if !loss.is_finite() {
            return Err(diverged("the loss".to_owned()).into());
        }
        if let Some(path) = self.layout.first_not_finite(&gradient) {
            return Err(diverged(format!("the gradient of {path}")).into());
        }
        let factor = self.schedule.rate(step);
        // On copies, so that a step that breaks the weights leaves those of before.
        let (mut weights, mut moments) = (self.weights.clone(), self.moments.clone());
        let scaled =
            |group: &Group| Group { learning_rate: group.learning_rate * factor, ..group.clone() };
        let groups: Vec<Group> = self.groups.iter().map(scaled).collect();
        let optimizer = self.config.optimizer();
        let norm = optimizer.update(&mut moments, &groups, &mut weights, &gradient);
        for values in [&weights, &moments.first, &moments.second] {
            if let Some(path) = self.layout.first_not_finite(values) {
                return Err(diverged(path.to_owned()).into());
            }
        }
        (self.weights, self.moments) = (weights, moments);
        Ok(Row {
            step: step + 1,
            epoch: (step + 1) as f64 / self.steps_per_epoch() as f64,
            loss,
            learning_rate: self.config.learning_rate * factor,
            gradient_norm: norm,
            n_targets,
            held_out_loss: None,
        })
    }

    /// Mean loss of the held-out examples; where it is the lowest so far, the adapter is kept.
    fn validate(&mut self) -> Result<f64, Error> {
        self.layout.write(self.model, &self.weights, &self.device);
        let mut loss = 0.0;
        let mut n_targets = 0;
        for batch in self.held_out.chunks(self.config.batch_size) {
            let examples: Vec<&M::Example> = batch.iter().collect();
            loss += loss_sum(&*self.model, &examples)?;
            n_targets += batch.iter().map(|example| self.model.n_targets(example)).sum::<usize>();
        }
        let loss = loss / n_targets as f64;
        let earlier = self.progress.history.iter().filter_map(|row| row.held_out_loss);
        if earlier.fold(f64::INFINITY, f64::min) > loss {
            Adapter::of(self.model, TRAINED)?.save(&self.folder.join("best"))?;
        }
        Ok(loss)
    }

    fn checkpoint(&self) -> Result<PathBuf, TrainingError> {
        let path = self.folder.join(CHECKPOINT_FILE);
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            weights: self.weights.clone(),
            moments: self.moments.clone(),
        };
        checkpoint.save(&path)?;
        let rows = to_jsonl(&self.progress.history);
        cifake::file::write_atomic(&self.folder.join("metrics.jsonl"), rows.as_bytes())?;
        Ok(path)
    }

    fn resume(&mut self) -> Result<(), TrainingError> {
        let path = self.folder.join(CHECKPOINT_FILE);
        if path.exists() {
            let checkpoint = Checkpoint::load(&path, &self.progress, self.layout.len)?;
            self.weights = checkpoint.weights;
            self.moments = checkpoint.moments;
            self.progress = checkpoint.progress;
        }
        self.layout.write(self.model, &self.weights, &self.device);
        Ok(())
    }
}

/// A permutation of `0..n_examples`, a function of the seed and the epoch.
fn epoch_order(n_examples: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut hash = Sha256::new();
    hash.update(b"order");
    hash.update(seed.to_le_bytes());
    hash.update((epoch as u64).to_le_bytes());
    cifake_optim::epoch_order(n_examples, hash.finalize().into())
}
