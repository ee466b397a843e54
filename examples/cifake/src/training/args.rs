//! What a training run is asked for.

use std::path::{Path, PathBuf};

use anyhow::Result;
use cifake::file::write_atomic;
use cifake::weights::Source;
use cifake_training::Places;

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
    /// into `out`, the folder of the run.
    ///
    /// # Errors
    ///
    /// A name that no weights have; a file that cannot be written.
    pub(super) fn with_file_of_weights(&self, out: &Path) -> Result<Self> {
        let registry = registry();
        let named = self.weights.as_deref().map(|weights| registry.source(weights)).transpose()?;
        let weights = match named {
            None => None,
            Some(Source::File(file)) => Some(file.to_owned()),
            Some(Source::Bytes { bytes, .. }) => {
                let file = out.join("start.safetensors");
                std::fs::create_dir_all(out)?;
                write_atomic(&file, bytes)?;
                Some(file)
            }
        };
        Ok(Self { weights, ..self.clone() })
    }

    /// Where the recipe or queue at `file` reads and writes, with results in `out`.
    pub(super) fn places<'a>(&'a self, file: &'a Path, out: &'a Path) -> Places<'a> {
        Places {
            file,
            out,
            extra_root: self.extra_root.as_deref(),
            weights: self.weights.as_deref(),
        }
    }
}
