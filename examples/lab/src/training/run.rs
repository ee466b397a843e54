//! One run.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use baselines::ResNet;
use burn::tensor::Device;
use cifake::weights::{Checkpoint, Configured, Source};
use cifake::{Decoder, Split};
use cifake_training::{Event, Network, ReadyStage, State, Teacher, Trainer, TrainingData};
use tinyvit::TinyVit;

use super::Load;
use super::watch::watch;

/// What all runs of a program share.
pub(super) struct Runner<'a, N: Network> {
    pub(super) data: &'a Path,
    pub(super) device: Device,
    pub(super) load: Load<N>,
    pub(super) stop: &'a AtomicBool,
}

impl<N: Network> Runner<'_, N> {
    /// Runs `stage`, saying in `state_path` where it stands; whether it came to its end.
    pub(super) fn run(
        &self,
        stage: &ReadyStage<N::Config>,
        state: State,
        state_path: &Path,
    ) -> anyhow::Result<bool> {
        let recipe = &stage.recipe;
        std::fs::create_dir_all(&stage.folder)?;
        let open = |path: &Path| cifake::open_dataset(path, Some(Split::Train));
        let extra = stage.extra.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
        let dataset = open(self.data)?;
        let data = TrainingData::load(&*dataset, &extra, &recipe.data, &Decoder::default())?;
        let from = stage.start.path().map(|path| path.display().to_string());
        eprintln!(
            "{}: from {}; {} pictures to train on, {} of them from additional sets; {} to validate; \
             {} duplicates left out",
            stage.name,
            from.as_deref().unwrap_or("random weights"),
            data.train.len(),
            data.n_extra,
            data.validation.len(),
            data.n_duplicates
        );
        let seed = recipe.train.seed;
        let load = |path: &Path| (self.load)(&stage.model, path, seed, &self.device);
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
        let checkpoint = Checkpoint::open(Source::File(path))?;
        match checkpoint.info().metadata.contains_key(ResNet::KEY) {
            true => teacher.add::<ResNet>(&checkpoint, device)?,
            false => teacher.add::<TinyVit>(&checkpoint, device)?,
        }
    }
    Ok(teacher)
}
