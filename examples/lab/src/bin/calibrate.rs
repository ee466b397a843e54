//! Turns the weights of a run into the file that ships: half precision, a calibrated temperature,
//! and the validation figures that speak for it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use baselines::ResNet;
use cifake::weights::{Source, load_configured};
use cifake::{Decoder, Split, device};
use cifake_training::{Network, Recipe, TrainingData, calibrate};
use clap::{Parser, ValueEnum};
use tinyvit::TinyVit;

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Tinyvit,
    Resnet,
}

/// Fits the temperature of trained weights on the validation split of their recipe and writes them
/// in half precision.
#[derive(Parser)]
#[command(after_help = "Example:
  calibrate --config examples/lab/recipes/native-2.toml --data ../shared/datasets/cifake \\
      --weights runs/tinyvit/best.safetensors --out crates/tinyvit/weights/native.safetensors")]
struct Args {
    /// Recipe of the run: its section data says which pictures are held back.
    #[arg(long, required_unless_present = "smoke")]
    config: Option<PathBuf>,
    /// Folder with the CIFAKE zips, a class folder, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// Weights of the run.
    #[arg(long, required_unless_present = "smoke")]
    weights: Option<PathBuf>,
    /// File to write.
    #[arg(long, required_unless_present = "smoke")]
    out: Option<PathBuf>,
    /// What the weights belong to.
    #[arg(long, value_enum, default_value = "tinyvit")]
    network: Kind,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Calibrates the shipped weights on the committed mini set into a temporary file.
    #[arg(long)]
    smoke: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.smoke {
        let folder = tempfile::tempdir()?;
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let weights = root.join("crates/tinyvit/weights/native.safetensors");
        let recipe = "model = { preset = 'native' }\ndata = { validation_fraction = 0.5 }";
        let (data, out) = (root.join("datasets/mini"), folder.path().join("out.safetensors"));
        return run::<TinyVit>(recipe, &data, &weights, &out, "flex");
    }
    let (Some(config), Some(data), Some(weights), Some(out)) =
        (&args.config, &args.data, &args.weights, &args.out)
    else {
        bail!("--config, --data, --weights and --out are required");
    };
    let recipe = std::fs::read_to_string(config)?;
    match args.network {
        Kind::Tinyvit => run::<TinyVit>(&recipe, data, weights, out, &args.device),
        Kind::Resnet => run::<ResNet>(&recipe, data, weights, out, &args.device),
    }
}

fn run<N: Network>(
    recipe: &str,
    data: &Path,
    weights: &Path,
    out: &Path,
    device: &str,
) -> anyhow::Result<()> {
    let recipe: Recipe = toml::from_str(recipe)?;
    let device = device::parse(device)?;
    let dataset = cifake::open_dataset(data, Some(Split::Train))?;
    let data = TrainingData::load(dataset.as_ref(), &[], &recipe.data, &Decoder::default())?;
    let source = Source::File(weights);
    let (model, config, info) = load_configured::<N>(source, &device)?;
    let (notes, report) =
        calibrate(model, &config, &info.metadata, &data.validation, &device, out)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}: sha256 {}", out.display(), report.sha256)?;
    for (key, value) in notes {
        writeln!(stdout, "{key}: {value}")?;
    }
    Ok(())
}
