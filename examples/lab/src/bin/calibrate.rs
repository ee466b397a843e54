//! Turns the weights of a run into the file that ships: half precision or int8, a calibrated temperature,
//! and the validation figures that speak for it; with pictures of other generators also when to be unsure.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use baselines::ResNet;
use cifake::weights::{Precision, Source, load_configured};
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

/// How weights are stored.
#[derive(Clone, Copy, ValueEnum)]
enum Storage {
    /// As they are.
    F32,
    /// Half precision.
    F16,
    /// A byte a value and a scale an output channel.
    Int8,
}

/// Fits the temperature of trained weights, rounded as they are stored, on the validation split of
/// their recipe, and writes them.
///
/// With --generators, a TinyViT also learns when to answer UNSURE: bands of probabilities for pictures of its
/// own size and for resized ones, and how far a picture is from its training. Such a file is of half precision.
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
    /// How the weights are stored.
    #[arg(long, value_enum, default_value = "f16")]
    precision: Storage,
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
    let mut args = Args::parse();
    let folder = tempfile::tempdir()?;
    if args.smoke {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        args.weights = Some(root.join("crates/tinyvit/weights/native.safetensors"));
        args.data = Some(root.join("datasets/mini"));
        args.out = Some(folder.path().join("out.safetensors"));
        let recipe = "model = { preset = 'native' }\ndata = { validation_fraction = 0.5 }";
        let config = folder.path().join("recipe.toml");
        std::fs::write(&config, recipe)?;
        args.config = Some(config);
        run::<TinyVit>(&args)?;
        let [known, others] = sets::drawn(folder.path())?;
        args.data = Some(known);
        args.answers.generators = Some(others);
    }
    match (&args.answers.generators, args.network) {
        (Some(_), Kind::Resnet) => bail!("--generators is for a TinyViT; leave it out"),
        (Some(generators), Kind::Tinyvit) => {
            let (Some(data), Some(weights), Some(out)) = (&args.data, &args.weights, &args.out)
            else {
                bail!("--data, --weights and --out are required");
            };
            let recipe = args.config.as_deref().map(Recipe::open).transpose()?;
            let held_back = recipe.map(|recipe| recipe.data);
            calibrate_answers(&args.answers, generators, held_back, data, weights, out)
        }
        (None, Kind::Tinyvit) => run::<TinyVit>(&args),
        (None, Kind::Resnet) => run::<ResNet>(&args),
    }
}

fn run<N: Network>(args: &Args) -> anyhow::Result<()> {
    let (Some(config), Some(data), Some(weights), Some(out)) =
        (&args.config, &args.data, &args.weights, &args.out)
    else {
        bail!("--config, --data, --weights and --out are required");
    };
    let recipe = Recipe::open(config)?;
    let device = device::parse(&args.device)?;
    let dataset = cifake::open_dataset(data, Some(Split::Train))?;
    let data = TrainingData::load(dataset.as_ref(), &[], &recipe.data, &Decoder::default())?;
    let (model, config, info) = load_configured::<N>(Source::File(weights), &device)?;
    let precision = match args.precision {
        Storage::F32 => Precision::F32,
        Storage::F16 => Precision::F16,
        Storage::Int8 => Precision::Int8,
    };
    let validation = &data.validation;
    let (notes, report) =
        calibrate(model, &config, &info.metadata, validation, &device, precision, out)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}: sha256 {}", out.display(), report.sha256)?;
    for (key, value) in notes {
        writeln!(stdout, "{key}: {value}")?;
    }
    Ok(())
}
