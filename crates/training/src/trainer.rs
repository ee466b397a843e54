//! The training loop: batches, gradients, steps, validation and checkpoints.

mod epoch;
mod resume;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use cifake::balanced_sample;
use cifake::text::counted;
use cifake_attacks::Pgd;
use cifake_kernels::with_products;

use crate::adversary::{N_GUARD, is_overfitted};
use crate::checkpoint::{Progress, digest};
use crate::config::{TrainConfig, validate_model};
use crate::examples::{Examples, fingerprint};
use crate::history::{EpochSums, Row};
use crate::network::Evaluated;
use crate::optimizer::OptimizerState;
use crate::order::epoch_order;
use crate::parameters::Layout;
use crate::record::TrainedOn;
use crate::step::Batch;
use crate::teacher::Teacher;
use crate::{Network, TrainError};

/// The progress of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
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
        /// Pictures trained on a second, as an exponential moving average.
        images_per_second: f64,
    },
    /// The adversary takes more steps from now on: the model resisted its attack far better than the
    /// validating attack.
    AttackStrengthened {
        /// Steps of the adversary's attack.
        attack_steps: usize,
    },
    /// An epoch is done and validated; all rows so far.
    Epoch(&'a [Row]),
    /// A checkpoint was written.
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
    teacher: Option<Teacher>,
    record: Option<TrainedOn>,
}

impl<N: Network> Trainer<N> {
    /// A run in `folder`. It resumes the folder's checkpoint if there is one. Otherwise it starts from
    /// `model`, or from weights drawn from the seed.
    ///
    /// Trains on `device` (a plain one, not autodiff).
    ///
    /// # Errors
    ///
    /// A configuration that cannot be run; a checkpoint that is damaged, or of a run with another
    /// configuration, other data or other weights to start from.
    pub fn new(
        config: TrainConfig,
        model_config: N::Config,
        model: Option<N>,
        [train, validation]: [Examples; 2],
        folder: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        config.validate().map_err(TrainError::Config)?;
        validate_model::<N>(&model_config)?;
        if train.len() < config.batch_size {
            let (found, batch) = (train.len(), config.batch_size);
            let reason = format!(
                "{} cannot fill one batch of {batch}: set batch_size in the section train of the \
                 recipe to at most {found}",
                counted(found, "picture")
            );
            return Err(TrainError::Config(reason));
        }
        let progress = Progress {
            config: config.clone(),
            model: model_config.clone(),
            data: fingerprint(&train, &validation),
            teacher: Vec::new(),
            start: None,
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
            teacher: None,
            record: None,
        };
        trainer.progress.start = Some(digest(&trainer.weights));
        trainer.resume()?;
        Ok(trainer)
    }

    /// The run with the teacher that its recipe names.
    ///
    /// # Errors
    ///
    /// A teacher with another number of members than the recipe names, or with other weights than the
    /// checkpoint's.
    pub fn with_teacher(mut self, teacher: Teacher) -> Result<Self, TrainError> {
        let named = self.config.teacher.as_ref().map_or(0, |teacher| teacher.weights.len());
        if named != teacher.sha256().len() || named == 0 {
            let found = teacher.sha256().len();
            let reason = format!("the recipe names {named} weights of a teacher, not {found}");
            return Err(TrainError::Config(reason));
        }
        if self.progress.step > 0 && self.progress.teacher != teacher.sha256() {
            let (path, differs) = (self.checkpoint_path(), "teacher".to_owned());
            return Err(TrainError::OtherRun { path, differs });
        }
        self.progress.teacher = teacher.sha256().to_vec();
        self.teacher = Some(teacher);
        Ok(self)
    }

    /// The run with the record of its data set, which its weight files then hold.
    #[must_use]
    pub fn with_record(mut self, record: TrainedOn) -> Self {
        self.record = Some(record);
        self
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

    /// Trains to the end, or until `listener` breaks off; a checkpoint is then written.
    ///
    /// # Errors
    ///
    /// [`TrainError::Diverged`]; a file that cannot be written; a recipe with a teacher that was not
    /// given, see [`with_teacher`](Self::with_teacher).
    pub fn run(
        &mut self,
        listener: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        if self.config.teacher.is_some() && self.teacher.is_none() {
            return Err(TrainError::Config(
                "the recipe names a teacher, and none was given".into(),
            ));
        }
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
                let answer = listener(Event::AttackStrengthened { attack_steps });
                heard = if heard.is_break() { heard } else { answer };
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

    /// The adversary's attack at the present step.
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
        let (attack, teacher) = (attack.as_ref(), self.teacher.as_ref());
        let loss = with_products(self.config.products, || {
            batch.loss(&self.model, &self.model_config, &self.config, attack, teacher)
        })?;
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
        let mut weights = self.layout.read(&self.model.valid());
        let rate = self.config.learning_rate_at(step, self.steps_per_epoch());
        // On copies, so that a step that diverges leaves the state of before.
        let mut state = self.state.clone();
        let norm = state.update(&self.layout, &mut weights, &gradient, &self.config, rate);
        if let Some(path) = state.first_not_finite(&self.layout, &weights) {
            return Err(TrainError::Diverged { what: format!("the updated {path}"), step });
        }
        (self.weights, self.state) = (weights, state);
        self.model = self.layout.write(self.model.clone(), &self.weights);
        self.progress.step += 1;
        self.progress.sums.loss += value;
        self.progress.sums.norm += norm;
        self.progress.sums.n_steps += 1;
        Ok((value, rate))
    }

    /// Checks the adversary every `guard_steps` steps. Adds a step where the model has overfitted to its
    /// attack, and returns the new number of steps.
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
        if !is_overfitted(adversary, &model, &attack, &samples, seed)? {
            return Ok(None);
        }
        self.progress.more_attack_steps += 1;
        Ok(Some(attack.steps + 1))
    }
}
