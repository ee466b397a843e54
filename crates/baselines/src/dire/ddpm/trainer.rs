//! A training run in a folder.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::file::write_atomic;
use cifake::weights::{Precision, save_configured};
use cifake::{Label, Picture, rgb8_from_tensor};
use cifake_kernels::with_products;
use cifake_optim::{AdamW, Group, Moments, Rounding, save_checkpoint};
use cifake_training::{Examples, Layout, TrainError, TrainedOn, TrainingData};
use serde::{Deserialize, Serialize};

use super::batch::{Batch, Draws, noise, order};
use super::config::DdpmRecipe;
use super::row::{DdpmRow, to_csv};
use crate::dire::{Diffusion, Reconstructor, UNet};
use crate::resumed::{self, Identity};

/// The vectors of a checkpoint in their order in the file.
const VECTORS: [&str; 4] = ["weights", "moment_1", "moment_2", "average"];
/// The draws of validation are those of an epoch that no run reaches.
const VALIDATION: usize = 1 << 24;
/// Rows and columns of the pictures that are drawn after an epoch.
const SHEET: [usize; 2] = [4, 8];

/// The progress of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DdpmEvent<'a> {
    /// A step is done.
    Step {
        /// Steps done.
        step: usize,
        /// Mean squared error of the step.
        loss: f64,
        /// Pictures trained on a second since the run was started.
        images_per_second: f64,
    },
    /// An epoch is done and validated.
    Epoch(&'a DdpmRow),
}

/// The content of a checkpoint apart from its vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// The recipe; a checkpoint of another is refused.
    recipe: DdpmRecipe,
    /// The data set; a checkpoint of another is refused.
    data: TrainedOn,
    /// Steps taken.
    step: usize,
    /// Sums of loss and gradient norm over the steps of the present epoch.
    sums: [f64; 2],
    /// A row for each finished epoch.
    history: Vec<DdpmRow>,
}

impl Progress {
    fn identity(&self) -> Identity<'_, DdpmRecipe> {
        Identity { recipe: &self.recipe, data: &self.data, start: "" }
    }
}

/// A training run of a diffusion model on the camera pictures of a data set.
///
/// Its folder has `checkpoint.safetensors`, from which a run that is started again goes on, to the same bytes;
/// `last.safetensors`, the averaged weights after the last epoch; `metrics.csv`, a row an epoch; and
/// `samples-N.png`, pictures that the averaged weights make after epoch N of noise that stays the same.
pub struct Ddpm {
    train: Examples,
    validation: Examples,
    folder: PathBuf,
    device: Device,
    levels: Vec<f64>,
    layout: Layout,
    model: UNet,
    weights: Vec<f32>,
    average: Vec<f32>,
    moments: Moments,
    order: Vec<usize>,
    progress: Progress,
}

impl Ddpm {
    /// A run of `recipe` on the camera pictures of `data` in `folder`, on `device` (a plain one, not autodiff).
    /// It resumes the folder's checkpoint if there is one.
    ///
    /// # Errors
    ///
    /// [`TrainError::Config`] for a recipe that cannot be run, or too few camera pictures;
    /// [`TrainError::OtherRun`] for a checkpoint of another recipe or data set; a checkpoint that is damaged.
    pub fn new(
        recipe: DdpmRecipe,
        data: &TrainingData,
        folder: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        recipe.validate().map_err(TrainError::Config)?;
        let [train, validation] =
            [&data.train, &data.validation].map(|examples| examples.only(Label::Real));
        let (train, validation) = (train?, validation?);
        let (found, batch) = (train.len(), recipe.train.batch_size);
        if found < batch {
            let reason = format!("{found} camera pictures are fewer than one batch of {batch}");
            return Err(TrainError::Config(reason));
        }
        let steps = Diffusion::linear(recipe.train.learned_steps, recipe.train.learned_steps);
        let steps = steps.map_err(|error| TrainError::Config(error.to_string()))?;
        let model = UNet::draw(&recipe.model, recipe.train.seed, device);
        let layout = Layout::of(&model);
        let weights = layout.read(&model);
        let mut run = Self {
            order: order(found, recipe.train.seed, 0),
            train,
            validation,
            folder: folder.to_owned(),
            device: device.clone(),
            levels: steps.levels().collect(),
            model: model.train(),
            average: weights.clone(),
            moments: Moments::new(weights.len()),
            weights,
            layout,
            progress: Progress {
                recipe,
                data: data.record.clone(),
                step: 0,
                sums: [0.0; 2],
                history: Vec::new(),
            },
        };
        run.resume()?;
        Ok(run)
    }

    /// Steps done so far: more than 0 where a checkpoint was found.
    #[must_use]
    pub fn step(&self) -> usize {
        self.progress.step
    }

    /// Steps of the whole run.
    #[must_use]
    pub fn n_steps(&self) -> usize {
        self.progress.recipe.train.epochs * self.steps_per_epoch()
    }

    /// The rows of the epochs done so far.
    #[must_use]
    pub fn history(&self) -> &[DdpmRow] {
        &self.progress.history
    }

    /// Trains to the end, or until `listener` breaks off; a checkpoint is then written.
    ///
    /// # Errors
    ///
    /// [`TrainError::Diverged`]; a file that cannot be written.
    pub fn run(
        &mut self,
        listener: &mut dyn FnMut(DdpmEvent) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        let (begun, first) = (Instant::now(), self.progress.step);
        let mut saved = begun;
        let longest = self.progress.recipe.train.checkpoint_minutes * 60.0;
        while self.progress.step < self.n_steps() {
            let (loss, rate) = self.train_step()?;
            let step = self.progress.step;
            let n_images = (step - first) * self.progress.recipe.train.batch_size;
            let images_per_second = n_images as f64 / begun.elapsed().as_secs_f64();
            let mut heard = listener(DdpmEvent::Step { step, loss, images_per_second });
            let epoch_done = step.is_multiple_of(self.steps_per_epoch());
            if epoch_done {
                self.finish_epoch(rate)?;
            }
            let is_due = saved.elapsed() >= Duration::from_secs_f64(longest);
            if epoch_done || is_due || heard.is_break() {
                self.checkpoint()?;
                saved = Instant::now();
            }
            if let Some(row) = self.progress.history.last().filter(|_| epoch_done) {
                let answer = listener(DdpmEvent::Epoch(row));
                heard = if heard.is_break() { heard } else { answer };
            }
            if heard.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The averaged weights as a network in evaluation mode.
    #[must_use]
    pub fn averaged(&self) -> UNet {
        self.layout.write(self.model.valid(), &self.average)
    }

    fn steps_per_epoch(&self) -> usize {
        self.train.len() / self.progress.recipe.train.batch_size
    }

    /// Takes one step; returns its loss and learning rate.
    fn train_step(&mut self) -> Result<(f64, f64), TrainError> {
        let (step, settings) = (self.progress.step, self.progress.recipe.train.clone());
        let (epoch, place) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        if place == 0 {
            self.order = order(self.train.len(), settings.seed, epoch);
        }
        let samples = &self.order[place * settings.batch_size..][..settings.batch_size];
        let batch = Batch::draw(&self.train, samples, self.draws(epoch), &self.device);
        let predict = |x: Tensor<4>, times: &[f64]| self.model.forward(x, times);
        let loss = with_products(settings.products, || batch.loss(Tensor::from_inner, predict));
        let gradients = loss.backward();
        let value = f64::from(loss.into_scalar::<f32>());
        let gradient = self.layout.gradients(&self.model, &gradients);
        drop(gradients);
        let diverged = |what: String| TrainError::Diverged { what, step };
        if !value.is_finite() {
            return Err(diverged("the loss".into()));
        }
        if let Some(name) = self.layout.first_not_finite(&gradient) {
            return Err(diverged(format!("the gradient of {name}")));
        }
        let (clip_norm, rounding) = (settings.clip_norm, Rounding::Quotient);
        let optimizer = AdamW { betas: [0.9, 0.999], epsilon: 1e-8, clip_norm, rounding };
        let learning_rate = settings.schedule(self.n_steps()).rate(step);
        let group = Group { range: 0..self.weights.len(), learning_rate, weight_decay: 0.0 };
        let norm = optimizer.update(&mut self.moments, &[group], &mut self.weights, &gradient);
        if let Some(name) = self.layout.first_not_finite(&self.weights) {
            return Err(diverged(format!("the updated {name}")));
        }
        let keep = settings.decay_at(self.moments.step);
        for (average, weight) in self.average.iter_mut().zip(&self.weights) {
            *average = keep * *average + (1.0 - keep) * weight;
        }
        self.model = self.layout.write(self.model.clone(), &self.weights);
        self.progress.step += 1;
        self.progress.sums = [self.progress.sums[0] + value, self.progress.sums[1] + norm];
        Ok((value, learning_rate))
    }

    /// The draws of `epoch`.
    fn draws(&self, epoch: usize) -> Draws<'_> {
        let settings = &self.progress.recipe.train;
        Draws { seed: settings.seed, epoch, flip: settings.flip, levels: &self.levels }
    }

    /// Validates the averaged weights, writes the row, the weights and the pictures.
    fn finish_epoch(&mut self, learning_rate: f64) -> Result<(), TrainError> {
        let model = self.averaged();
        let n_steps = self.steps_per_epoch() as f64;
        let [train_loss, gradient_norm] = self.progress.sums.map(|sum| sum / n_steps);
        let row = DdpmRow {
            epoch: self.progress.step / self.steps_per_epoch(),
            step: self.progress.step,
            learning_rate,
            train_loss,
            gradient_norm,
            validation_loss: self.validation_loss(&model),
        };
        let mut notes = BTreeMap::from([(TrainedOn::KEY.to_owned(), self.progress.data.to_json())]);
        for (key, json) in [
            ("recipe", serde_json::to_string(&self.progress.recipe)),
            ("epoch", serde_json::to_string(&row)),
        ] {
            notes.insert(key.to_owned(), json.expect("plain data has a JSON form"));
        }
        let file = |name: &str| self.folder.join(name);
        let (config, weights) = (&self.progress.recipe.model, file("last.safetensors"));
        save_configured(&model, config, &notes, Precision::F32, &weights)?;
        let sheet = self.sheet(&model)?.to_png();
        write_atomic(&file(&format!("samples-{:03}.png", row.epoch)), &sheet)?;
        self.progress.sums = [0.0; 2];
        self.progress.history.push(row);
        let csv = to_csv(&self.progress.history);
        Ok(write_atomic(&self.folder.join("metrics.csv"), csv.as_bytes())?)
    }

    fn validation_loss(&self, model: &UNet) -> f64 {
        let all: Vec<usize> = (0..self.validation.len()).collect();
        let draws = Draws { flip: false, ..self.draws(VALIDATION) };
        let sum_of = |part: &[usize]| {
            let batch = Batch::draw(&self.validation, part, draws, &self.device);
            let loss = batch.loss(|x| x, |x, times| model.forward(x, times));
            f64::from(loss.into_scalar::<f32>()) * part.len() as f64
        };
        let parts = all.chunks(self.progress.recipe.train.batch_size);
        parts.map(sum_of).sum::<f64>() / all.len() as f64
    }

    /// Pictures that `model` makes of noise, in rows and columns.
    fn sheet(&self, model: &UNet) -> Result<Picture, TrainError> {
        let settings = &self.progress.recipe.train;
        let steps = Diffusion::linear(settings.learned_steps, settings.sample_steps);
        let steps = steps.map_err(|error| TrainError::Config(error.to_string()))?;
        let ([rows, columns], side) = (SHEET, self.train.side());
        let start = noise([rows * columns, 3, side, side], settings.seed, &self.device);
        let pictures = Reconstructor::new(model, steps).pictures(start);
        let cells: Tensor<5> = pictures.reshape([rows, columns, 3, side, side]);
        let sheet = cells.permute([2, 0, 3, 1, 4]).reshape([1, 3, rows * side, columns * side]);
        Ok(rgb8_from_tensor(sheet).remove(0))
    }

    fn checkpoint(&self) -> Result<(), TrainError> {
        let Moments { first, second, .. } = &self.moments;
        let values = [&self.weights, first, second, &self.average];
        let vectors: Vec<(&str, &[f32])> =
            VECTORS.into_iter().zip(values.map(Vec::as_slice)).collect();
        Ok(save_checkpoint(&resumed::place(&self.folder), &self.progress, &vectors)?)
    }

    fn resume(&mut self) -> Result<(), TrainError> {
        let found = resumed::checkpoint::<Progress>(&self.folder, &VECTORS)?;
        let Some((file, progress)) = found else { return Ok(()) };
        resumed::must_be_same(&self.folder, &progress.identity(), &self.progress.identity())?;
        let vector = |name: &str| file.vector(name, self.layout.n_values());
        let (first, second) = (vector("moment_1")?, vector("moment_2")?);
        (self.weights, self.average) = (vector("weights")?, vector("average")?);
        self.moments = Moments { first, second, step: progress.step };
        self.model = self.layout.write(self.model.clone(), &self.weights);
        self.progress = progress;
        let epoch = self.progress.step / self.steps_per_epoch();
        self.order = order(self.train.len(), self.progress.recipe.train.seed, epoch);
        Ok(())
    }
}
