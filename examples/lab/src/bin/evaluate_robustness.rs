//! Measures what a detector withstands.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cifake::{Label, Split, balanced_sample, open_dataset};
use cifake_attacks::{RunOptions, Victim, evaluate_robustness};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use lab::choice::{ATTACKS, attack_named};
use tinyvit::Detector;

/// Attacks a label-balanced sample of a data set and prints the accuracy that is left, with 95 %
/// bootstrap intervals, for both labels and the worse of them. Started again with the same --out,
/// an evaluation goes on.
#[derive(Parser)]
#[command(after_help = format!("{ATTACKS}

Examples:
  evaluate_robustness --data ../shared/datasets/cifake --attack pgd-linf@1 --attack pgd-linf@2
  evaluate_robustness --data my/folder --attack ensemble-linf@2 --limit 200 --json"))]
struct Args {
    /// Folder with the CIFAKE zips, a folder with REAL and FAKE, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// An attack, see below; may be given several times.
    #[arg(long = "attack", default_values = ["pgd-linf@2", "pgd-l2@0.5"], value_parser = checked)]
    attacks: Vec<String>,
    /// Pictures that are attacked, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: usize,
    /// Folder of what is done so far.
    #[arg(long, default_value = "runs/robustness")]
    out: PathBuf,
    /// Weight file to use instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Seed of the draw, of the attacks and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A JSON report instead of a table.
    #[arg(long)]
    json: bool,
    /// Attack the committed mini set.
    #[arg(long)]
    smoke: bool,
}

fn checked(name: &str) -> Result<String, String> {
    attack_named(name).map(|_| name.to_owned())
}

fn main() -> Result<()> {
    let mut args = Args::parse();
    let temporary = tempfile::tempdir()?;
    if args.smoke {
        args.data = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini"));
        args.out = temporary.path().to_owned();
        args.limit = 8;
    }
    let data = args.data.as_deref().context("--data is required")?;
    let detector = match &args.weights {
        Some(file) => Detector::from_file(file)?,
        None => Detector::embedded()?,
    };
    let attacks: Result<Vec<_>, _> = args.attacks.iter().map(|name| attack_named(name)).collect();
    let attacks = attacks.map_err(anyhow::Error::msg)?;
    let dataset = open_dataset(data, Some(Split::Test))?;
    let labels: Vec<Label> = dataset.samples().iter().map(|sample| sample.label).collect();
    let mut options = RunOptions::new(detector.input_size(), &args.out);
    options.indices = Some(balanced_sample(&labels, args.limit, args.seed));
    options.seed = args.seed;
    options.bootstrap.seed = args.seed;
    let classifier = detector.classifier();
    let plan = classifier.model().compile(classifier.config());
    let victim = Victim::new(classifier).with_answers(&plan);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} | {msg} | {eta} to go")?;
    let bar = ProgressBar::new(0).with_style(style);
    let model = detector.model_name();
    let report =
        evaluate_robustness(&victim, model, &*dataset, &attacks, &options, &mut |progress| {
            bar.set_length(progress.total as u64);
            bar.set_message(progress.attack.to_owned());
            bar.set_position(progress.done as u64);
        })?;
    bar.finish_and_clear();
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    writeln!(out, "{} on {}\n\n{report}", detector.model_name(), data.display())?;
    Ok(())
}
