//! A training run, from its arguments to its end.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use burn::tensor::Device;
use cifake::plot::{Panel, panels};
use cifake::{Decoder, Split, device};
use cifake_training::{Event, Network, Recipe, Row, Trainer, TrainingData};
use indicatif::{ProgressBar, ProgressStyle};

/// What every training program takes.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// Recipe with the sections model, data and train.
    #[arg(long, required_unless_present = "smoke")]
    config: Option<PathBuf>,
    /// Folder with the CIFAKE zips, a class folder, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// More pictures to train on, such as a set of attacked ones; may be given several times. Copies
    /// of validation pictures are left out.
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

/// Trains to the end under a progress bar; draws `metrics.png` into `folder` after each epoch.
fn watch<N: Network>(trainer: &mut Trainer<N>, folder: &Path) -> anyhow::Result<()> {
    let bar = ProgressBar::new(trainer.n_steps() as u64).with_style(ProgressStyle::with_template(
        "{wide_bar} step {pos}/{len} | {msg} | {elapsed} gone, {eta} to go",
    )?);
    bar.set_position(trainer.step() as u64);
    bar.reset_eta();
    trainer.run(&mut |event| {
        if let Err(error) = show(&bar, &event, folder) {
            bar.println(format!("warning: {error:#}"));
        }
        ControlFlow::Continue(())
    })?;
    bar.finish();
    Ok(())
}

fn show(bar: &ProgressBar, event: &Event, folder: &Path) -> anyhow::Result<()> {
    match event {
        Event::Step { step, images_per_second, loss, .. } => {
            bar.set_position(*step as u64);
            bar.set_message(format!("loss {loss:.4}, {images_per_second:.0} images/s"));
        }
        Event::Fooled { attack_steps } => {
            bar.println(format!("the model hides from the adversary: {attack_steps} steps now"));
        }
        Event::Epoch(rows) => {
            if let Some(row) = rows.last() {
                bar.println(row.to_string());
            }
            draw(rows, &folder.join("metrics.png"))?;
        }
        Event::Checkpoint(_) => {}
    }
    Ok(())
}

/// Draws loss, and accuracy and AUC on the validation set, by epoch.
fn draw(rows: &[Row], path: &Path) -> Result<(), cifake::Error> {
    let points = |value: fn(&Row) -> f64| {
        rows.iter().map(|row| (row.epoch as f64, value(row))).collect::<Vec<_>>()
    };
    let losses = vec![
        ("training", points(|row| row.train_loss)),
        ("validation", points(|row| row.validation_loss)),
    ];
    let mut shares = vec![
        ("AUC", points(|row| row.validation_auc)),
        ("accuracy", points(|row| row.validation_accuracy)),
    ];
    let robust = rows.iter().filter_map(|row| Some((row.epoch as f64, row.robust_accuracy?)));
    let robust: Vec<_> = robust.collect();
    if !robust.is_empty() {
        shares.push(("robust accuracy", robust));
    }
    let loss = Panel { title: "Loss", x: "epoch", y: "cross-entropy", curves: losses, falls: true };
    let share = Panel { title: "Validation", x: "epoch", y: "share", curves: shares, falls: false };
    panels(&[loss, share], path)
}
