//! Compares scores that tell pictures which a detector knows from those that it does not.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use cifake::{Detector, Observation, Observed, Split, StrangerScores, open_dataset};
use cifake_cli::args::{builder, data_or_shared, open, threads};
use cifake_cli::{Holdout, answers, balanced, exit_code, sets};
use cifake_eval::{AnswerOptions, SeparationTable};
use cifake_training::DataConfig;
use clap::Parser;
use lab::strangers;

/// Prints how well energy, maximum probability and distances of features tell test pictures of CIFAKE from
/// those of other generators, photographs, drawings, screenshots, flat colors and noise.
///
/// If the weight file does not know its training pictures, they are fitted first, to training and held-back
/// pictures alone.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:
  familiarity --generators $CIFAKE_SHARED/datasets/generators --json > table.json"
)]
struct Args {
    /// Folder with the CIFAKE zips [default: $CIFAKE_SHARED/datasets/cifake].
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Folder with pictures of other generators and sources.
    #[arg(long)]
    generators: Option<PathBuf>,
    /// native, adversarial, static-robust, resnet18_32, or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
    /// Training pictures that are looked at, at most.
    #[arg(long, default_value_t = 20_000)]
    training: usize,
    /// Known pictures, at most.
    #[arg(long, default_value_t = 4000)]
    known: usize,
    /// Drawings of each kind and size.
    #[arg(long, default_value_t = 200)]
    drawings: u64,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Threads to decode and compute in; 0 takes all cores.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    threads: usize,
    /// Measures small sets that are drawn for it.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(&cifake_cli::parsed()))
}

fn run(args: &Args) -> Result<usize> {
    let detector = open(builder().threads(args.threads)?, &args.weights)?;
    if args.smoke {
        let folder = tempfile::tempdir()?;
        let [known, others] = sets::drawn(folder.path())?;
        let holdout = Holdout::Configured(DataConfig::default().with_validation_fraction(0.5));
        return compare(args, detector, &holdout, &known, Some(&others));
    }
    let data = data_or_shared(args.data.as_deref())?;
    let holdout = Holdout::of(&args.weights)?;
    compare(args, detector, &holdout, &data, args.generators.as_deref())
}

fn compare(
    args: &Args,
    mut detector: Detector,
    holdout: &Holdout,
    data: &Path,
    others: Option<&Path>,
) -> Result<usize> {
    let options = AnswerOptions::default();
    let seen = answers::see(&detector, holdout, data, others, args.training)?;
    if detector.familiarity().is_none() {
        detector = detector.with_answers(&seen.fit(&options)?);
    }
    let test = open_dataset(data, Some(Split::Test))?;
    let known = balanced(&*test, 0..test.len(), args.known.min(test.len()), 0);
    let known = answers::observe(&detector, &*test, &known)?;
    let mut groups = match others {
        Some(others) => strangers::collected(&detector, others)?,
        None => Vec::new(),
    };
    groups.extend(strangers::drawings(&detector, args.drawings)?);
    print(args, &detector, &seen.training, &known, &groups, &options)
}

fn print(
    args: &Args,
    detector: &Detector,
    training: &Observed,
    known: &Observed,
    groups: &[(String, Vec<Observation>)],
    options: &AnswerOptions,
) -> Result<usize> {
    let familiarity =
        detector.familiarity().expect("it was fitted where the file has none").clone();
    let scores = StrangerScores::new(familiarity, training, options.ridge)?;
    let known: Vec<Observation> = known.iter().map(|(_, seen)| seen.clone()).collect();
    let table = SeparationTable::new(&scores, &known, groups, options.unfamiliar_below)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&table)?)?;
    } else {
        write!(out, "{}\n\n{table}", detector.model_name())?;
    }
    Ok(0)
}
