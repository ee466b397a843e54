//! One run.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use burn::tensor::Device;
use cifake::text::counted;
use cifake::weights::{Checkpoint, Source};
use cifake_training::{Event, ReadyStage, State, Teacher, Trainer, TrainingData, ValidationSource};

use super::args::TrainArgs;
use super::pictures::{extra_set, main_set};
use super::watch::watch;
use crate::args::decoder;
use crate::lock_folder;
use crate::trained::{Task, Trained, with_metadata};

/// The parts that all runs of a program share.
pub(super) struct Runner<'a> {
    pub(super) args: &'a TrainArgs,
    /// The path of the data set.
    pub(super) path: PathBuf,
    pub(super) device: Device,
    pub(super) stop: &'a AtomicBool,
}

impl Runner<'_> {
    /// Runs `stage`, telling in `state_path` where it stands; whether it came to its end.
    pub(super) fn run<N: Trained>(
        &self,
        stage: &ReadyStage<N::Config>,
        state: State,
        state_path: &Path,
    ) -> anyhow::Result<bool> {
        let recipe = &stage.recipe;
        let TrainArgs { data, strict, .. } = self.args;
        let dataset = main_set(data, &self.path, recipe.data.side, *strict)?;
        let open = |path: &PathBuf| extra_set(data, path, *strict);
        let extra = stage.extra.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let _lock = lock_folder(&stage.folder, "run")?;
        let data = TrainingData::load(&dataset, &extra, &recipe.data, &decoder())?;
        drop((dataset, extra));
        let config = self.args.fitted(&recipe.train, data.train.len())?;
        let pictures = told(&data);
        let seed = recipe.train.seed;
        let load = |path: &Path| N::open(&stage.model, path, seed, &self.device);
        let start = stage.start.path().map(load).transpose()?;
        let (sets, record) = ([data.train, data.validation], data.record);
        let model = stage.model.clone();
        let trainer = Trainer::new(config, model, start, sets, &stage.folder, &self.device)?;
        let mut trainer = trainer.with_record(record);
        if !stage.teacher.is_empty() {
            trainer = trainer.with_teacher(teacher(&stage.teacher, &self.device)?)?;
        }
        let (step, n_steps) = (trainer.step(), trainer.n_steps());
        let mut state = state.with_run(recipe.train.epochs, n_steps, step);
        let begins = match stage.start.path() {
            _ if step == n_steps => format!("is at its end, step {step} of {n_steps}"),
            _ if step > 0 => {
                format!("continues at epoch {}, step {step} of {n_steps}", state.epoch + 1)
            }
            Some(path) => format!("from {}", self.args.name_of(path)),
            None => "from random weights".to_owned(),
        };
        eprintln!("{}: {begins}; {pictures}", stage.name);
        state.update(&Event::Epoch(trainer.history()));
        watch(&mut trainer, &stage.folder, state, state_path, self.stop)?;
        Ok(trainer.step() == trainer.n_steps())
    }
}

/// The pictures of a run, in words.
fn told(data: &TrainingData) -> String {
    let validation = match data.record.validation {
        ValidationSource::OwnSplit => ", the validation split of the data set",
        _ => "",
    };
    format!(
        "{} to train on, {} of them from additional sets; {} to validate on{validation}; {} left out",
        counted(data.train.len(), "picture"),
        data.n_extra,
        data.validation.len(),
        counted(data.n_duplicates, "duplicate"),
    )
}

/// The networks in `paths`, each of the kind that its file names.
fn teacher(paths: &[PathBuf], device: &Device) -> anyhow::Result<Teacher> {
    let mut teacher = Teacher::default();
    for path in paths {
        let checkpoint = &Checkpoint::open(Source::File(path))?;
        let teacher = &mut teacher;
        with_metadata(&checkpoint.info().metadata, Lesson { teacher, checkpoint, device })
            .with_context(|| format!("{} is no teacher", path.display()))?;
    }
    Ok(teacher)
}

/// One more network that teaches.
struct Lesson<'a> {
    teacher: &'a mut Teacher,
    checkpoint: &'a Checkpoint,
    device: &'a Device,
}

impl Task for Lesson<'_> {
    type Output = ();

    fn run<N: Trained>(self) -> anyhow::Result<()> {
        Ok(self.teacher.add::<N>(self.checkpoint, self.device)?)
    }
}
