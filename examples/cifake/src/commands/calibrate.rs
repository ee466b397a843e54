//! `cifake calibrate`: from the weights of a run to the file that ships.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cifake::text::{counted, one_line, path_line};
use cifake::weights::{Checkpoint, Configured, Precision, Source, load_configured};
use cifake::{LabelNames, device};
use cifake_training::{Recipe, calibrate};
use clap::ValueEnum;
use tinyvit::TinyVit;

use crate::answers::{AnswerArgs, calibrate_answers};
use crate::args::{DataArgs, decoder, mini, registry};
use crate::sets;
use crate::trained::{Task, Trained, with_metadata};
use crate::training::main_set;
use crate::{Holdout, Spared};

/// Fewer validation pictures than these leave a temperature to chance; below
/// [`MIN_CALIBRATION`](cifake_eval::metrics::MIN_CALIBRATION) of a label there is none.
const FEW: usize = 200;

/// The precision of stored weights.
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
/// rounded as they are stored: the file that ships. At least 20 of the pictures must be REAL and 20 FAKE.
///
/// With --generators, a TinyViT also learns when to answer UNSURE: bands of probabilities for pictures of its
/// own size and for resized ones, and how far a picture is from its training. Such a file is of half precision.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake calibrate --config examples/lab/recipes/native-2.toml \\
      --weights runs/tinyvit/best.safetensors --out native.safetensors
  cifake calibrate --data my/pictures --weights runs/mine/best.safetensors --out mine.safetensors
  cifake calibrate --generators $CIFAKE_SHARED/datasets/generators --weights native \\
      --out answers.safetensors")]
pub(crate) struct Args {
    /// Recipe of the run: its section data says which pictures are held back [default: what the weight
    /// file records].
    #[arg(long, value_name = "RECIPE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    /// Weights of the run, or the name of shipped ones; the file names its network.
    #[arg(long, value_name = "NAME|FILE", required_unless_present = "smoke")]
    weights: Option<PathBuf>,
    /// File to write; it may replace none of the files that are read.
    #[arg(long, value_name = "FILE", required_unless_present = "smoke")]
    out: Option<PathBuf>,
    /// The precision in which the weights are stored.
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
        args.weights = Some("native".into());
        args.data.data = Some(mini());
        args.out = Some(folder.path().join("out.safetensors"));
        let recipe = "model = { preset = 'native' }\ndata = { validation_fraction = 0.7 }";
        let config = folder.path().join("recipe.toml");
        std::fs::write(&config, recipe)?;
        args.config = Some(config);
        temperature::<TinyVit>(&args)?;
        let [known, others] = sets::drawn(folder.path())?;
        args.data.data = Some(known);
        args.answers.generators = Some(others);
    }
    let (weights, out) = args.files()?;
    let registry = registry();
    let source = registry.source(weights)?;
    let data = args.data.path(args.smoke)?;
    let read = [source_file(source), args.config.as_deref(), Some(&data)];
    Spared::of(read.into_iter().flatten()).file(out)?;
    let metadata = Checkpoint::open(source)?.info().metadata.clone();
    if let Some(missing) = args.answers.generators.as_deref().filter(|path| !path.exists()) {
        bail!("{}: No such file or folder; --generators names a collection", path_line(missing))
    }
    match &args.answers.generators {
        Some(_) if !metadata.contains_key(TinyVit::KEY) => {
            bail!("--generators is for a TinyViT; leave it out")
        }
        Some(_) if args.data.names()? != LabelNames::default() => {
            bail!("--generators knows the usual label names alone; leave out --real and --fake")
        }
        Some(generators) => {
            let holdout = args.holdout(weights)?;
            calibrate_answers(&args.answers, generators, &holdout, &data, source, out)?;
        }
        None => with_metadata(&metadata, Temperature(&args))?,
    }
    Ok(0)
}

impl Args {
    /// The weights to read and the file to write.
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

/// The file of `source`, if it is one.
fn source_file(source: Source<'_>) -> Option<&Path> {
    match source {
        Source::File(file) => Some(file),
        Source::Bytes { .. } => None,
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
    let (model, config, info) = load_configured::<N>(registry().source(weights)?, &device)?;
    let precision = match args.precision {
        Storage::F32 => Precision::F32,
        Storage::F16 => Precision::F16,
        Storage::Int8 => Precision::Int8,
    };
    let validation = &data.validation;
    let (notes, report) =
        calibrate(model, &config, &info.metadata, validation, &device, precision, out)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}: sha256 {}", path_line(out), report.sha256)?;
    for (key, value) in &notes {
        writeln!(stdout, "{}", one_line(&format!("{key}: {value}")))?;
    }
    let gone = |key: &&String| !notes.contains_key(*key);
    let gone: Vec<_> = info.metadata.keys().filter(gone).map(String::as_str).collect();
    if !gone.is_empty() {
        eprintln!(
            "warning: left out, since they belong to the former calibration: {}; fit them anew with --generators",
            gone.join(", ")
        );
    }
    Ok(())
}
