//! Turns the weights of a run into the file that ships: half precision, a calibrated temperature,
//! and the validation figures that speak for it; with pictures of other generators also when to be unsure.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use baselines::ResNet;
use cifake::weights::{Source, load_configured};
use cifake::{Decoder, Split, device};
use cifake_training::{Network, Recipe, TrainingData, calibrate};
use clap::{Parser, ValueEnum};
use lab::answers::{AnswerArgs, calibrate_answers};
use lab::sets;
use tinyvit::TinyVit;

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Tinyvit,
    Resnet,
}

/// Fits the temperature of trained weights on the validation split of their recipe and writes them
/// in half precision.
///
/// With --generators, a TinyViT also learns when to answer UNSURE: bands of probabilities for pictures of its
/// own size and for resized ones, and how far a picture is from its training.
#[derive(Parser)]
#[command(after_help = "Examples:
  calibrate --config examples/lab/recipes/native-2.toml --data ../shared/datasets/cifake \\
      --weights runs/tinyvit/best.safetensors --out crates/tinyvit/weights/native.safetensors
  calibrate --data ../shared/datasets/cifake --generators ../shared/datasets/generators \\
      --weights crates/tinyvit/weights/native.safetensors --out answers.safetensors")]
struct Args {
    /// Recipe of the run: its section data says which pictures are held back.
    #[arg(long, required_unless_present_any = ["smoke", "generators"])]
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
    #[command(flatten)]
    answers: AnswerArgs,
    /// Calibrates the shipped weights on the committed mini set and on drawings into a temporary file.
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
        run::<TinyVit>(recipe, &data, &weights, &out, "flex")?;
        let [known, others] = sets::drawn(folder.path())?;
        return calibrate_answers(&args.answers, &others, Some(recipe), &known, &weights, &out);
    }
    let (Some(data), Some(weights), Some(out)) = (&args.data, &args.weights, &args.out) else {
        bail!("--data, --weights and --out are required");
    };
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let recipe = args.config.as_ref().map(read).transpose()?;
    match (&args.answers.generators, recipe, args.network) {
        (Some(_), _, Kind::Resnet) => bail!("--generators is for a TinyViT; leave it out"),
        (Some(generators), recipe, Kind::Tinyvit) => {
            calibrate_answers(&args.answers, generators, recipe.as_deref(), data, weights, out)
        }
        (None, Some(recipe), Kind::Tinyvit) => {
            run::<TinyVit>(&recipe, data, weights, out, &args.device)
        }
        (None, Some(recipe), Kind::Resnet) => {
            run::<ResNet>(&recipe, data, weights, out, &args.device)
        }
        (None, None, _) => bail!("--config is required"),
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
