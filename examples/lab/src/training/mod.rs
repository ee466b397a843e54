//! A training run, from its arguments to its end.

mod watch;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::tensor::Device;
use cifake::{Decoder, Split, device};
use cifake_training::{Network, Recipe, Trainer, TrainingData};

use watch::watch;

/// What every training program takes.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// Recipe with the sections model, data and train.
    #[arg(long, required_unless_present = "smoke")]
    config: Option<PathBuf>,
    /// Folder with the CIFAKE zips, a class folder, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// More pictures to train on, such as a set of attacked ones or a collection of generators; may be given
    /// several times. Copies of validation pictures are left out. Of a picture of another size each epoch sees
    /// a random square of at least half its shorter side.
    #[arg(long, value_name = "PATH")]
    extra: Vec<PathBuf>,
    /// Folder of the run.
    #[arg(long, default_value = "runs/training")]
    out: PathBuf,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Threads of the run; the weights do not depend on it.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
    /// Trains a few steps on the committed mini set into a temporary folder.
    #[arg(long)]
    smoke: bool,
}

/// Trains as `args` say; `start` makes what the run starts from, where that is not random weights,
/// of configuration, seed and device, and `smoke` is the recipe of `--smoke`.
///
/// # Errors
///
/// A recipe or data that cannot be read, and those of [`Trainer`].
pub fn train<N: Network>(
    args: &TrainArgs,
    smoke: &str,
    start: impl FnOnce(&N::Config, u64, &Device) -> anyhow::Result<Option<N>> + Send,
) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    if args.smoke {
        let folder = tempfile::tempdir()?;
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
        return pool.install(|| run(args, smoke, &data, folder.path(), start));
    }
    let (Some(config), Some(data)) = (&args.config, &args.data) else {
        bail!("--config and --data are required");
    };
    let recipe = std::fs::read_to_string(config)
        .with_context(|| format!("cannot read the recipe {}", config.display()))?;
    pool.install(|| run(args, &recipe, data, &args.out, start))
}

fn run<N: Network>(
    args: &TrainArgs,
    recipe: &str,
    data: &Path,
    folder: &Path,
    start: impl FnOnce(&N::Config, u64, &Device) -> anyhow::Result<Option<N>>,
) -> anyhow::Result<()> {
    let recipe: Recipe = toml::from_str(recipe).context("the recipe is not valid")?;
    let config = recipe.model_config::<N>()?;
    let device = device::parse(&args.device)?;
    std::fs::create_dir_all(folder)?;
    let open = |path: &Path| cifake::open_dataset(path, Some(Split::Train));
    let extra = args.extra.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
    let dataset = open(data)?;
    let data = TrainingData::load(&*dataset, &extra, &recipe.data, &Decoder::default())?;
    eprintln!(
        "{} pictures to train on, {} of them from additional sets; {} to validate; {} duplicates \
         left out",
        data.train.len(),
        data.n_extra,
        data.validation.len(),
        data.n_duplicates
    );
    let start = start(&config, recipe.train.seed, &device)?;
    let sets = [data.train, data.validation];
    let mut trainer = Trainer::new(recipe.train, config, start, sets, folder, &device)?;
    watch(&mut trainer, folder)
}
