//! `cifake calibrate`: from the weights of a run to the file that ships.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cifake::text::counted;
use cifake::weights::{Checkpoint, Configured, Precision, Source, load_configured};
use cifake::{LabelNames, device};
use cifake_training::{Recipe, calibrate};
use clap::ValueEnum;
use tinyvit::TinyVit;

use crate::Holdout;
use crate::answers::{AnswerArgs, calibrate_answers};
use crate::args::{DataArgs, decoder, mini};
use crate::sets;
use crate::trained::{Task, Trained, with_metadata};
use crate::training::main_set;

/// Fewer validation pictures than these leave a temperature to chance.
const FEW: usize = 200;

/// How weights are stored.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Storage {
    /// As they are.
    F32,
    /// Half precision.
    F16,
    /// A byte a value and a scale an output channel.
    Int8,
}

/// Fits temperature and bias of trained weights on the pictures that their recipe held back, and writes them
/// rounded as they are stored: the file that ships.
///
/// With --generators, a TinyViT also learns when to answer UNSURE: bands of probabilities for pictures of its
/// own size and for resized ones, and how far a picture is from its training. Such a file is of half precision.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake calibrate --config examples/lab/recipes/native-2.toml \\
      --weights runs/tinyvit/best.safetensors --out native.safetensors
  cifake calibrate --data my/pictures --weights runs/mine/best.safetensors --out mine.safetensors
  cifake calibrate --generators $CIFAKE_SHARED/datasets/generators \\
      --weights crates/tinyvit/weights/native.safetensors --out answers.safetensors")]
pub(crate) struct Args {
    /// Recipe of the run: its section data says which pictures are held back [default: what the weight
    /// file records].
    #[arg(long, value_name = "RECIPE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    /// Weights of the run; the file names its network.
    #[arg(long, value_name = "FILE", required_unless_present = "smoke")]
    weights: Option<PathBuf>,
    /// File to write.
    #[arg(long, value_name = "FILE", required_unless_present = "smoke")]
    out: Option<PathBuf>,
    /// How the weights are stored.
    #[arg(long, value_enum, default_value = "f16")]
    precision: Storage,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    #[command(flatten)]
    answers: AnswerArgs,
    /// Calibrates the shipped weights on the committed mini set and on drawings into a temporary file.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Returns 0, since a calibration is whole or fails.
pub(crate) fn run(mut args: Args) -> Result<usize> {
    let folder = tempfile::tempdir()?;
    if args.smoke {
        args.weights = Some(mini().join("../../crates/tinyvit/weights/native.safetensors"));
        args.data.data = Some(mini());
        args.out = Some(folder.path().join("out.safetensors"));
        let recipe = "model = { preset = 'native' }\ndata = { validation_fraction = 0.5 }";
        let config = folder.path().join("recipe.toml");
        std::fs::write(&config, recipe)?;
        args.config = Some(config);
        temperature::<TinyVit>(&args)?;
        let [known, others] = sets::drawn(folder.path())?;
        args.data.data = Some(known);
        args.answers.generators = Some(others);
    }
    let (weights, out) = args.files()?;
    let metadata = Checkpoint::open(Source::File(weights))?.info().metadata.clone();
    match &args.answers.generators {
        Some(_) if !metadata.contains_key(TinyVit::KEY) => {
            bail!("--generators is for a TinyViT; leave it out")
        }
        Some(_) if args.data.names()? != LabelNames::default() => {
            bail!("--generators knows the usual label names alone; leave out --real and --fake")
        }
        Some(generators) => {
            let holdout = args.holdout(weights)?;
            let data = args.data.path(args.smoke)?;
            calibrate_answers(&args.answers, generators, &holdout, &data, weights, out)?;
        }
        None => with_metadata(&metadata, Temperature(&args))?,
    }
    Ok(0)
}

impl Args {
    /// The file to read and the file to write.
    fn files(&self) -> Result<(&PathBuf, &PathBuf)> {
        let weights = self.weights.as_ref().context("--weights is required")?;
        Ok((weights, self.out.as_ref().context("--out is required")?))
    }

    /// The pictures that the run of `weights` held back.
    fn holdout(&self, weights: &Path) -> Result<Holdout> {
        match self.config.as_deref() {
            Some(recipe) => Ok(Holdout::Configured(Recipe::open(recipe)?.data)),
            None => Holdout::of(weights),
        }
    }
}

/// The fit of a temperature.
struct Temperature<'a>(&'a Args);

impl Task for Temperature<'_> {
    type Output = ();

    fn run<N: Trained>(self) -> Result<()> {
        temperature::<N>(self.0)
    }
}

fn temperature<N: Trained>(args: &Args) -> Result<()> {
    let (weights, out) = args.files()?;
    let holdout = args.holdout(weights)?;
    let device = device::parse(&args.device)?;
    let path = args.data.path(args.smoke)?;
    let dataset = main_set(&args.data, &path, holdout.config().side, false)?;
    let data = holdout.load(Box::new(dataset), &decoder())?;
    let n_validation = data.validation.len();
    if n_validation < FEW {
        eprintln!(
            "warning: only {} to fit a temperature to; {FEW} or more give a reliable one",
            counted(n_validation, "picture")
        );
    }
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
