//! The arguments of a training run.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use cifake::file::write_atomic;
use cifake::text::{counted, path_text};
use cifake::weights::Source;
use cifake_training::{Places, Recipe, TrainConfig};

use crate::args::{DataArgs, registry, threads};

/// A training run or a queue of them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TrainArgs {
    /// Recipe with the sections model, data and train [default: examples/lab/recipes/own.toml, which
    /// is built in].
    #[arg(long, value_name = "RECIPE")]
    pub(super) config: Option<PathBuf>,
    /// Runs one after the other: a TOML file of stages with names and recipes. Each runs in
    /// OUT/NAME; one that is done is passed over, one that was broken off goes on.
    #[arg(long, value_name = "FILE.toml", conflicts_with_all = ["config", "extra"])]
    pub(super) queue: Option<PathBuf>,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// More pictures to train on, such as a set of attacked ones; may be given several times. Copies
    /// of validation pictures are left out.
    #[arg(long, value_name = "PATH")]
    pub(super) extra: Vec<PathBuf>,
    /// The folder that {extra} stands for in the paths of a queue and of teachers.
    #[arg(long, value_name = "FOLDER")]
    pub(super) extra_root: Option<PathBuf>,
    /// Weights to start from: the name of shipped ones, a file of a run, or one of another source that
    /// the network reads. In a queue the first stage starts from them.
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) weights: Option<PathBuf>,
    /// The name of `weights`, where they are part of the program and their file is a temporary one.
    #[arg(skip)]
    shipped: Option<String>,
    /// Passes over the training pictures, instead of the recipe's. Give it again where a run goes on.
    #[arg(long, value_name = "N", conflicts_with = "queue")]
    epochs: Option<usize>,
    /// Pictures a step, instead of the recipe's. Give it again where a run goes on.
    #[arg(long, value_name = "N", conflicts_with = "queue")]
    batch_size: Option<usize>,
    /// Folder of the run, or of the queue's runs. The file state.json in it tells in one line where
    /// the run stands.
    #[arg(long, value_name = "FOLDER", required_unless_present = "smoke")]
    pub(super) out: Option<PathBuf>,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    pub(super) device: String,
    /// Threads of the run; 0 takes all cores. The weights do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    pub(super) threads: usize,
    /// Fail if a picture cannot be read, instead of leaving it out.
    #[arg(long)]
    pub(super) strict: bool,
    /// Trains a few steps on the committed mini set into a temporary folder.
    #[arg(long, hide = true)]
    pub(super) smoke: bool,
}

impl TrainArgs {
    /// The same with the file of weights that have a name. Those that are part of the program are written
    /// into `folder`, which must last as long as the run.
    ///
    /// # Errors
    ///
    /// A name that no weights have; a file that cannot be written.
    pub(super) fn with_file_of_weights(&self, folder: &Path) -> Result<Self> {
        let Some(weights) = &self.weights else { return Ok(self.clone()) };
        let (file, shipped) = match registry().source(weights)? {
            Source::File(file) => (file.to_owned(), None),
            Source::Bytes { name, bytes } => {
                let file = folder.join("start.safetensors");
                write_atomic(&file, bytes)?;
                (file, Some(name.to_owned()))
            }
        };
        Ok(Self { weights: Some(file), shipped, ..self.clone() })
    }

    /// `recipe` with the numbers that the arguments set.
    pub(super) fn recipe(&self, mut recipe: Recipe) -> Recipe {
        let train = &mut recipe.train;
        train.epochs = self.epochs.unwrap_or(train.epochs);
        train.batch_size = self.batch_size.unwrap_or(train.batch_size);
        recipe
    }

    /// The name of the weights in the file at `path`.
    pub(super) fn name_of(&self, path: &Path) -> String {
        match &self.shipped {
            Some(name) if self.weights.as_deref() == Some(path) => name.clone(),
            _ => path_text(path),
        }
    }

    /// `config` for `n` pictures to train on. The batch of the built-in recipe shrinks to what is there.
    ///
    /// # Errors
    ///
    /// A batch of a recipe or of an argument that `n` pictures cannot fill.
    pub(super) fn fitted(&self, config: &TrainConfig, n: usize) -> Result<TrainConfig> {
        let batch = config.batch_size;
        if n >= batch {
            return Ok(config.clone());
        }
        let pictures = counted(n, "picture");
        let is_built_in = self.config.is_none() && self.queue.is_none() && !self.smoke;
        if is_built_in && self.batch_size.is_none() {
            eprintln!(
                "note: a batch has {pictures} instead of {batch}: there are no more to train on"
            );
            return Ok(config.clone().with_batch_size(n));
        }
        let how = match self.queue {
            None => format!("pass --batch-size {n}, or set"),
            Some(_) => "set".to_owned(),
        };
        bail!(
            "{pictures} cannot fill one batch of {batch}: {how} batch_size in the section train of the \
             recipe to at most {n}"
        )
    }

    /// The files that the recipe or queue at `file` reads and writes, with results in `out`.
    pub(super) fn places<'a>(&'a self, file: &'a Path, out: &'a Path) -> Places<'a> {
        Places {
            file,
            out,
            extra_root: self.extra_root.as_deref(),
            weights: self.weights.as_deref(),
        }
    }
}
