//! Measures a detector on a labelled data set.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use cifake::{Detector, EvaluateOptions, Split, device, open_dataset};
use cifake_cli::args::{open, split_named, threads};
use cifake_cli::{balanced, exit_code, progress_bar};
use clap::Parser;
use lab::answers;
use lab::degraded::ArrivalArgs;

/// Scores every picture of a data set and prints accuracy, AUC, calibration and more, each with a
/// 95 % bootstrap interval, for the data as published and without copies.
#[derive(Parser)]
#[command(after_help = "Examples:
  evaluate --data ../shared/datasets/cifake                        the four CIFAKE zips, test split
  evaluate --data my/folder --limit 2000 --json                    REAL/ and FAKE/, 1000 of each
  evaluate --data cifake.parquet --roc roc.png --reliability reliability.png --scores scores.csv
  evaluate --data cifake.parquet --degradations --degradation-picture rows.png --tta flip")]
struct Args {
    /// Folder with the CIFAKE zips, a folder with REAL and FAKE, a collection of generators, or a parquet
    /// file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// train, validation or test; a data set without splits is taken as a whole.
    #[arg(long, default_value = "test", value_parser = split_named)]
    split: Split,
    /// native, adversarial, static-robust, resnet18_32, or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
    /// Measure this many pictures only, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of the limit's draw and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A JSON report instead of tables.
    #[arg(long)]
    json: bool,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Threads to decode and compute in; 0 takes all cores.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    threads: usize,
    /// Write the ROC curve here.
    #[arg(long, value_name = "FILE.png")]
    roc: Option<PathBuf>,
    /// Write the reliability diagram here.
    #[arg(long, value_name = "FILE.png")]
    reliability: Option<PathBuf>,
    /// Write every picture's score here.
    #[arg(long, value_name = "FILE.csv")]
    scores: Option<PathBuf>,
    #[command(flatten)]
    arrival: ArrivalArgs,
    /// Measure the committed mini set.
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(&Args::parse()))
}

fn run(args: &Args) -> Result<usize> {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let Some(path) = args.data.as_deref().or(args.smoke.then_some(&mini)) else {
        bail!("--data is required");
    };
    let device = device::parse(&args.device)?;
    let builder = Detector::builder().device(&device).threads(args.threads)?;
    let detector = open(builder, &args.weights)?;
    let arrival = args.arrival.and_all(args.smoke);
    let (detector, time_ratio) = arrival.looking(detector, &device);
    let dataset = open_dataset(path, Some(args.split))?;
    let unique = detector
        .threads()
        .install(|| cifake::unique_samples(path, &*dataset, args.split, detector.decoder()))?;
    let mut options = EvaluateOptions::new(detector.input_size(), &device)
        .with_threshold(detector.threshold().into())
        .with_seed(args.seed)
        .with_threads(detector.threads())
        .with_unique(unique);
    if let Some(limit) = args.limit {
        options = options.with_indices(balanced(&*dataset, 0..dataset.len(), limit, args.seed));
    }
    let bar = progress_bar()?;
    let report = cifake::evaluate(&detector, &*dataset, &options, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    let arrived = arrival.measure((&detector, time_ratio), &*dataset, &options, &bar)?;
    bar.finish_and_clear();
    let answers = answers::of_report(&detector, &*dataset, &report)?;
    let mut out = io::stdout().lock();
    if args.json {
        let mut json = serde_json::to_value(&report)?;
        json["model"] = detector.model_name().into();
        json["split"] = args.split.as_str().into();
        json["answers"] = serde_json::to_value(&answers)?;
        arrived.add_to(&mut json);
        writeln!(out, "{json:#}")?;
    } else {
        writeln!(out, "{} on {} ({})\n", detector.model_name(), path.display(), args.split)?;
        writeln!(out, "{report}{arrived}")?;
        if let Some(answers) = &answers {
            write!(out, "\nAnswers\n{answers}")?;
        }
    }
    if let Some(file) = &args.roc {
        cifake::plot::roc(&report.scores(), &report.labels(), file)?;
    }
    if let Some(file) = &args.reliability {
        cifake::plot::reliability(&report.scores(), &report.labels(), file)?;
    }
    if let Some(file) = &args.scores {
        report.write_csv(file)?;
    }
    Ok(0)
}
