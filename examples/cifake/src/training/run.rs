//! One run.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use burn::tensor::Device;
use cifake::file::FolderLock;
use cifake::text::counted;
use cifake::weights::{Checkpoint, Source};
use cifake_training::{Event, ReadyStage, State, Teacher, Trainer, TrainingData, ValidationSource};

use super::pictures::{extra_set, main_set};
use super::watch::watch;
use crate::args::{DataArgs, decoder};
use crate::trained::{Task, Trained, with_metadata};

/// What all runs of a program share.
pub(super) struct Runner<'a> {
    pub(super) data: &'a DataArgs,
    /// Where the data set is.
    pub(super) path: PathBuf,
    pub(super) device: Device,
    /// Whether a picture that cannot be read ends a run.
    pub(super) strict: bool,
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
        let dataset = main_set(self.data, &self.path, recipe.data.side, self.strict)?;
        let open = |path: &PathBuf| extra_set(self.data, path, self.strict);
        let extra = stage.extra.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        std::fs::create_dir_all(&stage.folder)?;
        let lock = FolderLock::acquire(&stage.folder)?;
        let folder = stage.folder.display();
        let _lock =
            lock.with_context(|| format!("another run writes into {folder}: let it end"))?;
        let data = TrainingData::load(&dataset, &extra, &recipe.data, &decoder())?;
        drop((dataset, extra));
        let from = stage.start.path().map(|path| path.display().to_string());
        eprintln!(
            "{}: from {}; {} to train on, {} of them from additional sets; {} to validate on{}; {} left \
             out",
            stage.name,
            from.as_deref().unwrap_or("random weights"),
            counted(data.train.len(), "picture"),
            data.n_extra,
            data.validation.len(),
            match data.record.validation {
                ValidationSource::OwnSplit => ", the validation split of the data set",
                _ => "",
            },
            counted(data.n_duplicates, "duplicate"),
        );
        let seed = recipe.train.seed;
        let load = |path: &Path| N::open(&stage.model, path, seed, &self.device);
        let start = stage.start.path().map(load).transpose()?;
        let (sets, record) = ([data.train, data.validation], data.record);
        let (config, model) = (recipe.train.clone(), stage.model.clone());
        let trainer = Trainer::new(config, model, start, sets, &stage.folder, &self.device)?;
        let mut trainer = trainer.with_record(record);
        if !stage.teacher.is_empty() {
            trainer = trainer.with_teacher(teacher(&stage.teacher, &self.device)?)?;
        }
        let mut state = state.with_run(recipe.train.epochs, trainer.n_steps(), trainer.step());
        state.update(&Event::Epoch(trainer.history()));
        watch(&mut trainer, &stage.folder, state, state_path, self.stop)?;
        Ok(trainer.step() == trainer.n_steps())
    }
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
