//! What a training program is asked.

use std::path::{Path, PathBuf};

use cifake_training::Places;

/// What every training program takes.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// Recipe with the sections model, data and train.
    #[arg(long, required_unless_present_any = ["smoke", "queue"])]
    pub(super) config: Option<PathBuf>,
    /// Runs one after the other: a TOML file of stages with names and recipes. Each runs in
    /// OUT/NAME; one that is done is passed over, one that was broken off goes on.
    #[arg(long, conflicts_with_all = ["config", "extra"])]
    pub(super) queue: Option<PathBuf>,
    /// Folder with the CIFAKE zips, a class folder, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    pub(super) data: Option<PathBuf>,
    /// More pictures to train on, such as a set of attacked ones; may be given several times. Copies
    /// of validation pictures are left out.
    #[arg(long, value_name = "PATH")]
    pub(super) extra: Vec<PathBuf>,
    /// The folder that {extra} stands for in the paths of a queue and of teachers.
    #[arg(long, value_name = "FOLDER")]
    pub(super) extra_root: Option<PathBuf>,
    /// Weights to start from: of a run, or of another source that the network reads. In a queue they
    /// are what the first stage starts from.
    #[arg(long)]
    pub(super) weights: Option<PathBuf>,
    /// Folder of the run, or of the queue's runs. The file state.json in it says in one line where
    /// the run stands.
    #[arg(long, default_value = "runs/training")]
    pub(super) out: PathBuf,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    pub(super) device: String,
    /// Threads of the run; the weights do not depend on it.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    pub(super) threads: usize,
    /// Trains a few steps on the committed mini set into a temporary folder.
    #[arg(long)]
    pub(super) smoke: bool,
}

impl TrainArgs {
    /// Where the recipe or queue at `file` reads and writes.
    pub(super) fn places<'a>(&'a self, file: &'a Path) -> Places<'a> {
        Places {
            file,
            out: &self.out,
            extra_root: self.extra_root.as_deref(),
            weights: self.weights.as_deref(),
        }
    }
}
