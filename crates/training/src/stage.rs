//! A run of a queue with everything resolved.

use std::path::{Path, PathBuf};

use cifake::file::{read_limited, write_atomic};
use cifake_optim::first_difference;
use serde::{Deserialize, Serialize};

use crate::config::Recipe;
use crate::places::Places;
use crate::stage_config::Stage;
use crate::{Network, TrainError, state};

/// File that marks a finished run.
const DONE: &str = "done.json";
/// Largest such file that is read.
const MAX_DONE_BYTES: u64 = 1 << 20;

/// The weights that a run starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Weights drawn from the recipe's seed.
    Random,
    /// A weight file.
    Weights(PathBuf),
}

/// A run of a [`Queue`](crate::Queue) with its recipe read and its paths filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyStage<C> {
    /// Name of the run.
    pub name: String,
    /// Folder of the run.
    pub folder: PathBuf,
    /// Its recipe.
    pub recipe: Recipe,
    /// Shape of its model.
    pub model: C,
    /// Additional pictures to train on.
    pub extra: Vec<PathBuf>,
    /// Weights of its teacher; empty without a teacher.
    pub teacher: Vec<PathBuf>,
    /// The weights that it starts from.
    pub start: Start,
    done: Done,
}

/// The files that a run reads besides its recipe and the data set.
pub(crate) struct Paths {
    pub(crate) extra: Vec<PathBuf>,
    pub(crate) teacher: Vec<PathBuf>,
    pub(crate) start: Start,
}

/// Content of the file of a finished run. Fields that older files lack have their defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Done {
    start: String,
    extra: Vec<String>,
    recipe: Recipe,
}

impl<C> ReadyStage<C> {
    pub(crate) fn new(
        stage: &Stage,
        folder: PathBuf,
        recipe: Recipe,
        model: C,
        paths: Paths,
    ) -> Self {
        let (start, extra) = (stage.start.clone(), stage.extra.clone());
        let done = Done { start, extra, recipe: recipe.clone() };
        let Paths { extra, teacher, start } = paths;
        Self { name: stage.name.clone(), folder, recipe, model, extra, teacher, start, done }
    }

    /// The run of `recipe` outside of a queue, in the folder `places.out`, from `weights` if given.
    ///
    /// # Errors
    ///
    /// [`TrainError::Config`] for a model that cannot be built, or a teacher's path with a placeholder
    /// that stands for nothing.
    pub fn alone<N: Network<Config = C>>(
        recipe: Recipe,
        extra: Vec<PathBuf>,
        weights: Option<PathBuf>,
        places: &Places,
    ) -> Result<Self, TrainError> {
        let model = recipe.model_config::<N>()?;
        let name = places.out.file_name().map_or_else(String::new, |n| n.to_string_lossy().into());
        let start = weights.map_or(Start::Random, Start::Weights);
        let stage = Stage { name, recipe: String::new(), extra: vec![], start: String::new() };
        let teacher = places.teacher(&recipe, places.file)?;
        let paths = Paths { extra, teacher, start };
        Ok(Self::new(&stage, places.out.to_owned(), recipe, model, paths))
    }

    /// Whether the run is finished.
    ///
    /// # Errors
    ///
    /// [`TrainError::OtherRun`] where the folder holds a finished run of another recipe, start or
    /// additional sets; a file that cannot be read.
    pub fn is_done(&self) -> Result<bool, TrainError> {
        let path = self.done_path();
        if !path.exists() {
            return Ok(false);
        }
        let bytes = read_limited(&path, MAX_DONE_BYTES)?;
        let broken = |source| TrainError::Done { path: path.clone(), source: Box::new(source) };
        let done: Done = serde_json::from_slice(&bytes).map_err(broken)?;
        match first_difference(&done, &self.done) {
            None => Ok(true),
            Some(difference) => {
                let differs = format!("recipe or place in its queue ({difference})");
                Err(TrainError::OtherRun { path, differs })
            }
        }
    }

    /// Marks the run as finished.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn finish(&self) -> Result<(), TrainError> {
        Ok(write_atomic(&self.done_path(), &state::line(&self.done))?)
    }

    fn done_path(&self) -> PathBuf {
        self.folder.join(DONE)
    }
}

impl Start {
    /// The weight file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Random => None,
            Self::Weights(path) => Some(path),
        }
    }
}
