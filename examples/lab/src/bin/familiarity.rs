//! Compares scores that tell pictures which a detector knows from those that it does not.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use cifake::{Detector, Observation, Observed, StrangerScores};
use cifake_cli::args::{data_or_shared, open, threads};
use cifake_cli::part::{HELD_BACK, Part};
use cifake_cli::{answers, exit_code, sets};
use cifake_eval::{AnswerOptions, SeparationTable};
use cifake_training::DataConfig;
use clap::Parser;
use lab::strangers;

/// Prints how well energy, maximum probability and distances of features tell test pictures of CIFAKE from
/// those of other generators, photographs, drawings, screenshots, flat colors and noise.
///
/// Where the weight file does not know its training pictures, they are fitted first, to training and held-back
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
    exit_code(run(&Args::parse()))
}

fn run(args: &Args) -> Result<usize> {
    let detector = open(Detector::builder().threads(args.threads)?, &args.weights)?;
    if args.smoke {
        let folder = tempfile::tempdir()?;
        let [known, others] = sets::drawn(folder.path())?;
        let config = DataConfig { validation_fraction: 0.5, ..DataConfig::default() };
        return compare(args, detector, &config, &known, Some(&others));
    }
    let data = data_or_shared(args.data.as_deref())?;
    let config = DataConfig { validation_fraction: HELD_BACK, ..DataConfig::default() };
    compare(args, detector, &config, &data, args.generators.as_deref())
}

fn compare(
    args: &Args,
    mut detector: Detector,
    config: &DataConfig,
    data: &Path,
    others: Option<&Path>,
) -> Result<usize> {
    let options = AnswerOptions::default();
    let seen = answers::see(&detector, config, data, others, args.training)?;
    if detector.familiarity().is_none() {
        detector = detector.with_answers(&seen.fit(&options)?);
    }
    let test = Part::Test.of(data)?;
    let known = test.balanced(args.known.min(test.indices.len()), 0);
    let known = answers::observe(&detector, &*test.dataset, &known)?;
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
