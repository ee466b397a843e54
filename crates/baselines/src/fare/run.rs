//! A training run in a folder.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use cifake::file::write_atomic;
use cifake::tensor_from_flat_rgb8;
use cifake::weights::{Precision, Source, load_configured, save_configured};
use cifake_kernels::with_products;
use cifake_optim::{Moments, epoch_order, save_checkpoint};
use cifake_training::{Examples, TrainError, TrainedOn, TrainingData};
use cifake_vit::{Vit, VitConfig};
use serde::{Deserialize, Serialize};

use super::{Fare, FareRecipe, FareState};
use crate::VitDetector;
use crate::resumed::{self, Identity};

/// The vectors of a checkpoint in their order in the file.
const VECTORS: [&str; 3] = ["weights", "moment_1", "moment_2"];
/// The draws of validation are those of a step that no run reaches.
const VALIDATION: u64 = 1 << 40;

/// The progress of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FareEvent<'a> {
    /// A step is done.
    Step {
        /// Steps done.
        step: usize,
        /// Mean squared distance of the step's attacked pictures from their targets.
        loss: f64,
        /// Pictures trained on a second since the run was started.
        images_per_second: f64,
    },
    /// A row is due.
    Row(&'a FareRow),
}

/// The measurements of a run, after some steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FareRow {
    /// Steps done.
    pub step: usize,
    /// Mean loss of the steps since the row before.
    pub train_loss: f64,
    /// Mean squared distance of embeddings from those of the original encoder, on one batch of validation
    /// pictures as they are.
    pub clean_distance: f64,
    /// The same under the attack, from a start that stays the same.
    pub attacked_distance: f64,
}

impl fmt::Display for FareRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, train_loss, clean_distance, attacked_distance } = self;
        write!(
            f,
            "step {step:>6}: train loss {train_loss:.5}, distance {clean_distance:.5} clean"
        )?;
        write!(f, ", {attacked_distance:.5} attacked")
    }
}

/// The content of a checkpoint apart from its vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// The recipe; a checkpoint of another is refused.
    recipe: FareRecipe,
    /// The data set; a checkpoint of another is refused.
    data: TrainedOn,
    /// SHA-256 of the weight file that the run began with; a checkpoint of another is refused.
    start: String,
    /// Steps taken.
    step: usize,
    /// Sum of the losses since the last row.
    sum: f64,
    /// The rows so far.
    history: Vec<FareRow>,
}

impl Progress {
    fn identity(&self) -> Identity<'_, FareRecipe> {
        Identity { recipe: &self.recipe, data: &self.data, start: &self.start }
    }
}

/// A run that makes the network of a [`VitDetector`] robust and leaves its head as it is.
///
/// Its folder has `checkpoint.safetensors`, from which a run that is started again goes on, to the same bytes;
/// `last.safetensors`, the detector with the encoder as of the last row; and `metrics.csv`.
pub struct FareRun {
    fare: Fare<Vit>,
    config: VitConfig,
    head: Linear,
    train: Examples,
    validation: Examples,
    folder: PathBuf,
    device: Device,
    progress: Progress,
}

fn embed(tower: &Vit, images: Tensor<4>) -> Tensor<2> {
    tower.forward(images)
}

impl FareRun {
    /// A run of `recipe` in `folder` from the detector in `start`, on `device` (a plain one, not autodiff). It
    /// resumes the folder's checkpoint if there is one.
    ///
    /// # Errors
    ///
    /// - [`TrainError::Config`] for a recipe that cannot be run.
    /// - [`TrainError::Config`] for too few pictures, or pictures of another size than the encoder's.
    /// - [`TrainError::OtherRun`] for a checkpoint of another recipe, data set or start.
    /// - Weights or a checkpoint that cannot be read.
    pub fn new(
        recipe: FareRecipe,
        start: Source<'_>,
        data: TrainingData,
        folder: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        recipe.validate().map_err(TrainError::Config)?;
        let (model, config, info) = load_configured::<VitDetector>(start, device)?;
        let TrainingData { train, validation, record, .. } = data;
        let (found, batch) = (train.len(), recipe.fare.batch_size);
        if train.side() != config.side {
            let [side, own] = [train.side(), config.side];
            let reason = format!("side of the section data is {side}, the encoder reads {own}");
            return Err(TrainError::Config(reason));
        }
        if found < batch {
            let reason = format!("{found} pictures are fewer than one batch of {batch}");
            return Err(TrainError::Config(reason));
        }
        let VitDetector { network, head } = model.valid();
        let start = info.sha256;
        let mut run = Self {
            fare: Fare::new(&network, embed, recipe.fare),
            config,
            head,
            train,
            validation,
            folder: folder.to_owned(),
            device: device.clone(),
            progress: Progress {
                recipe,
                data: record,
                start,
                step: 0,
                sum: 0.0,
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
        self.progress.recipe.fare.steps
    }

    /// The rows so far.
    #[must_use]
    pub fn history(&self) -> &[FareRow] {
        &self.progress.history
    }

    /// The detector as it is now.
    #[must_use]
    pub fn detector(&self) -> VitDetector {
        VitDetector { network: self.fare.model().clone(), head: self.head.clone() }
    }

    /// Trains to the end, or until `listener` breaks off; a checkpoint is then written.
    ///
    /// # Errors
    ///
    /// [`TrainError::Diverged`]; a file that cannot be written.
    pub fn run(
        &mut self,
        listener: &mut dyn FnMut(FareEvent) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        let (begun, first) = (Instant::now(), self.progress.step);
        while self.progress.step < self.n_steps() {
            let loss = self.train_step()?;
            let step = self.progress.step;
            let n_images = (step - first) * self.progress.recipe.fare.batch_size;
            let images_per_second = n_images as f64 / begun.elapsed().as_secs_f64();
            let mut heard = listener(FareEvent::Step { step, loss, images_per_second });
            let row_is_due =
                step.is_multiple_of(self.progress.recipe.row_steps) || step == self.n_steps();
            if row_is_due {
                self.finish_row()?;
            }
            if row_is_due || heard.is_break() {
                self.checkpoint()?;
            }
            if let Some(row) = self.progress.history.last().filter(|_| row_is_due) {
                let answer = listener(FareEvent::Row(row));
                heard = if heard.is_break() { heard } else { answer };
            }
            if heard.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes one step; returns its loss.
    fn train_step(&mut self) -> Result<f64, TrainError> {
        let FareRecipe { fare, products, .. } = self.progress.recipe;
        let step = self.progress.step;
        let an_epoch = self.train.len() / fare.batch_size;
        let mut key = [0; 32];
        key[..8].copy_from_slice(&fare.seed.to_le_bytes());
        key[8..16].copy_from_slice(&((step / an_epoch) as u64).to_le_bytes());
        let order = epoch_order(self.train.len(), key);
        let chosen = &order[step % an_epoch * fare.batch_size..][..fare.batch_size];
        let images = images(&self.train, chosen, &self.device);
        let loss = with_products(products, || self.fare.step(images));
        if !loss.is_finite() {
            return Err(TrainError::Diverged { what: "the loss".into(), step });
        }
        self.progress.step += 1;
        self.progress.sum += loss;
        Ok(loss)
    }

    /// Validates the encoder; writes the row and the weights.
    fn finish_row(&mut self) -> Result<(), TrainError> {
        let step = self.progress.step;
        let n_before = self.progress.history.last().map_or(0, |row| row.step);
        let n = self.validation.len().min(self.progress.recipe.fare.batch_size);
        let seen = images(&self.validation, &(0..n).collect::<Vec<_>>(), &self.device);
        let start = self.fare.start(&seen, VALIDATION);
        let [clean_distance, attacked_distance] = self.fare.losses(seen, start);
        let train_loss = self.progress.sum / (step - n_before) as f64;
        let row = FareRow { step, train_loss, clean_distance, attacked_distance };
        let recipe = serde_json::to_string(&self.progress.recipe);
        let notes = BTreeMap::from([
            (TrainedOn::KEY.to_owned(), self.progress.data.to_json()),
            ("fare_recipe".to_owned(), recipe.expect("plain data has a JSON form")),
            ("fare_start".to_owned(), self.progress.start.clone()),
            ("fare_steps".to_owned(), step.to_string()),
        ]);
        let path = self.folder.join("last.safetensors");
        save_configured(&self.detector(), &self.config, &notes, Precision::F32, &path)?;
        self.progress.sum = 0.0;
        self.progress.history.push(row);
        let csv = to_csv(&self.progress.history);
        Ok(write_atomic(&self.folder.join("metrics.csv"), csv.as_bytes())?)
    }

    fn checkpoint(&self) -> Result<(), TrainError> {
        let FareState { weights, moments } = self.fare.state();
        let values = [&weights, &moments.first, &moments.second];
        let vectors: Vec<(&str, &[f32])> =
            VECTORS.into_iter().zip(values.map(Vec::as_slice)).collect();
        Ok(save_checkpoint(&resumed::place(&self.folder), &self.progress, &vectors)?)
    }

    fn resume(&mut self) -> Result<(), TrainError> {
        let found = resumed::checkpoint::<Progress>(&self.folder, &VECTORS)?;
        let Some((file, progress)) = found else { return Ok(()) };
        resumed::must_be_same(&self.folder, &progress.identity(), &self.progress.identity())?;
        let vector = |name: &str| file.vector(name, self.fare.n_values());
        let moments = Moments {
            first: vector("moment_1")?,
            second: vector("moment_2")?,
            step: progress.step,
        };
        let state = FareState { weights: vector("weights")?, moments };
        let resumed = self.fare.clone().resumed(state);
        self.fare = resumed.expect("each vector has as many values as the encoder");
        self.progress = progress;
        Ok(())
    }
}

/// The pictures `chosen`, `[chosen.len(), 3, side, side]`, in `[0, 1]`.
fn images(examples: &Examples, chosen: &[usize], device: &Device) -> Tensor<4> {
    let pixels: Vec<u8> = chosen.iter().flat_map(|&idx| examples.pixels(idx)).copied().collect();
    tensor_from_flat_rgb8(&pixels, examples.side(), examples.side(), device)
}

/// The rows as CSV with a header.
fn to_csv(rows: &[FareRow]) -> String {
    let mut csv = String::from("step,train_loss,clean_distance,attacked_distance\n");
    for FareRow { step, train_loss, clean_distance, attacked_distance } in rows {
        writeln!(csv, "{step},{train_loss:.7},{clean_distance:.7},{attacked_distance:.7}")
            .expect("a string takes every byte");
    }
    csv
}
