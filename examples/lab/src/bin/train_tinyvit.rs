//! Trains a TinyViT on CIFAKE, or goes on with a run that was broken off.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cifake::{Decoder, Split, device};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use tinyvit::training::{Event, Recipe, Trainer, TrainingData};

/// Activations of a batch are large; without it the system would hand out fresh pages each step.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(8 << 30);

/// Trains a TinyViT and writes checkpoint.safetensors, best.safetensors, last.safetensors,
/// metrics.csv and metrics.png into a folder. Started again with the same folder it goes on.
#[derive(Parser)]
#[command(after_help = "Examples:
  train_tinyvit --config examples/lab/recipes/native-1.toml --data ../shared/datasets/cifake
  train_tinyvit --config my.toml --data cifake/ --out runs/mine --weights runs/first/best.safetensors
  train_tinyvit --smoke")]
struct Args {
    /// Recipe with the sections model, data and train.
    #[arg(long, required_unless_present = "smoke")]
    config: Option<PathBuf>,
    /// Folder with the CIFAKE zips, a class folder, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// Folder of the run.
    #[arg(long, default_value = "runs/tinyvit")]
    out: PathBuf,
    /// Weights to start from: of a run, or timm's or Microsoft's; another head is drawn anew.
    #[arg(long)]
    weights: Option<PathBuf>,
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

const SMOKE: &str = "
model = { preset = 'native', embed_dims = [16, 32, 32, 32], n_heads = [1, 1, 1, 1], stem_dim = 8 }
data = { validation_fraction = 0.25 }
train = { epochs = 2, batch_size = 8, checkpoint_steps = 2 }
";

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    if args.smoke {
        let folder = tempfile::tempdir()?;
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
        return pool.install(|| train(&args, SMOKE, &data, folder.path()));
    }
    let (Some(config), Some(data)) = (&args.config, &args.data) else {
        bail!("--config and --data are required");
    };
    let recipe = std::fs::read_to_string(config)
        .with_context(|| format!("cannot read the recipe {}", config.display()))?;
    pool.install(|| train(&args, &recipe, data, &args.out))
}

fn train(args: &Args, recipe: &str, data: &Path, out: &Path) -> anyhow::Result<()> {
    let recipe: Recipe = toml::from_str(recipe).context("the recipe is not valid")?;
    let model_config = recipe.model_config()?;
    let device = device::parse(&args.device)?;
    std::fs::create_dir_all(out)?;
    let dataset = cifake::open_dataset(data, Some(Split::Train))?;
    let data = TrainingData::load(dataset.as_ref(), &recipe.data, &Decoder::default())?;
    eprintln!(
        "{} pictures to train on, {} to validate, {} duplicates left out",
        data.train.len(),
        data.validation.len(),
        data.n_duplicates
    );
    let warm = |path: &PathBuf| {
        model_config.load_for_fine_tuning(path.as_path(), recipe.train.seed, &device)
    };
    let start = args.weights.as_ref().map(warm).transpose()?;
    let sets = [data.train, data.validation];
    let mut trainer = Trainer::new(recipe.train, model_config, start, sets, out, &device)?;
    let bar = ProgressBar::new(trainer.n_steps() as u64).with_style(ProgressStyle::with_template(
        "{wide_bar} step {pos}/{len} | {msg} | {elapsed} gone, {eta} to go",
    )?);
    bar.set_position(trainer.step() as u64);
    bar.reset_eta();
    trainer.run(&mut |event| {
        if let Err(error) = show(&bar, &event, out) {
            bar.println(format!("warning: {error:#}"));
        }
        ControlFlow::Continue(())
    })?;
    bar.finish();
    Ok(())
}

fn show(bar: &ProgressBar, event: &Event, out: &Path) -> anyhow::Result<()> {
    match event {
        Event::Step { step, images_per_second, loss, .. } => {
            bar.set_position(*step as u64);
            bar.set_message(format!("loss {loss:.4}, {images_per_second:.0} images/s"));
        }
        Event::Epoch(rows) => {
            if let Some(row) = rows.last() {
                bar.println(row.to_string());
            }
            lab::draw_training(rows, &out.join("metrics.png"))?;
        }
        Event::Checkpoint(_) => {}
    }
    Ok(())
}
