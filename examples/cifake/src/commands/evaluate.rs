//! `cifake evaluate`: a detector on a labelled data set.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use burn::tensor::Device;
use cifake::text::{counted, path_line};
use cifake::{Dataset, Decoder, Detector, Split, SplitDataset};
use cifake_eval::{EvaluateOptions, evaluate, unique_samples};

use crate::args::{DataArgs, DetectorArgs, split_named};
use crate::color::ColorArgs;
use crate::degraded::ArrivalArgs;
use crate::part::{Part, Pictures};
use crate::unread::tell_unread;
use crate::{Holdout, Spared, answers, balanced, progress_bar};

/// Measures the detector on a labelled data set: accuracy, AUC, calibration and more, each with a 95 %
/// bootstrap interval, for the data as published and without copies.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake evaluate                                  the test pictures in $CIFAKE_SHARED/datasets/cifake
  cifake evaluate --data my/folder --limit 2000 --json        1000 pictures of each label
  cifake evaluate --data my/folder --real photos --fake renders --weights runs/mine/best.safetensors
  cifake evaluate --data cifake.parquet --roc roc.png --reliability reliability.png --scores scores.csv
  cifake evaluate --degradations --degradation-picture rows.png --tta flip

Exit status: 0 if every picture was scored, 1 if some could not be read, 2 if nothing could be done.")]
pub(crate) struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// train, validation or test; a data set without splits is taken as a whole. If there is no
    /// validation set, the pictures are those that the weights hold back of the training set.
    #[arg(long, default_value = "test", value_parser = split_named)]
    split: Split,
    #[command(flatten)]
    detector: DetectorArgs,
    /// Measure this many pictures only, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of the limit's draw and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Fail if a picture cannot be read, instead of counting it.
    #[arg(long)]
    strict: bool,
    /// A JSON report instead of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    color: ColorArgs,
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
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Returns how many pictures could not be read.
pub(crate) fn run(args: &Args) -> Result<usize> {
    let path = args.data.path(args.smoke)?;
    let outputs = [&args.roc, &args.reliability, &args.scores, args.arrival.picture()];
    Spared::of([path.as_path(), args.detector.weights()]).files(outputs)?;
    let (detector, device) = args.detector.detector()?;
    let decoder = detector.decoder();
    let whole = args.data.listed(&path)?;
    let (Pictures { dataset, indices }, is_held_back) =
        detector.threads().install(|| pictures(args, &whole, decoder))?;
    // A data set without splits gives all of its pictures to whoever asks for a split.
    let is_whole = !is_held_back && !whole.is_split();
    if is_whole && is_training_set(args.detector.weights(), &*dataset, &detector) {
        eprintln!("warning: the weights were trained on these pictures; figures on them flatter");
    }
    let arrival = args.arrival.and_all(args.smoke);
    let unique = match is_held_back {
        // The split left the copies out.
        true => indices.clone(),
        false => {
            detector.threads().install(|| unique_samples(&whole, &*dataset, args.split, decoder))?
        }
    };
    let (detector, time_ratio) = arrival.looking(detector, &device);
    let options = evaluation(&detector, &device).with_threshold(detector.threshold().into());
    let options = options.with_seed(args.seed).with_unique(unique);
    let mut options = match args.limit {
        Some(limit) => {
            options.with_indices(balanced(&*dataset, indices.iter().copied(), limit, args.seed))
        }
        None if is_held_back => options.with_indices(indices),
        None => options,
    };
    let bar = progress_bar()?;
    let report = evaluate(&detector, &*dataset, &options, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    if let (true, Some(first)) = (args.strict, report.failed.first()) {
        let failed = counted(report.n_failed, "picture");
        bail!("{failed} cannot be read, the first: {}", first.error);
    }
    tell_unread(report.failed.iter().map(|failed| &failed.error));
    // A picture that cannot be read is no row of the suite.
    options.indices = Some(report.samples.iter().map(|sample| sample.index).collect());
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
        let part = if is_whole { "all pictures, not split" } else { args.split.as_str() };
        writeln!(out, "{} on {} ({part})\n", detector.model_name(), path_line(&path))?;
        let paint = args.color.paint();
        writeln!(out, "{}", paint.table(&format!("{report}{arrived}")))?;
        if let Some(answers) = &answers {
            write!(out, "\nAnswers\n{}", paint.table(&answers.to_string()))?;
        }
    }
    if let Some(file) = &args.roc {
        cifake_eval::plot::roc(&report.scores(), &report.labels(), file)?;
    }
    if let Some(file) = &args.reliability {
        cifake_eval::plot::reliability(&report.scores(), &report.labels(), file)?;
    }
    if let Some(file) = &args.scores {
        report.write_csv(file)?;
    }
    Ok(report.n_failed)
}

/// The options for an evaluation of `detector`, which computes on `device`, at a threshold of 0.5.
pub(crate) fn evaluation(detector: &Detector, device: &Device) -> EvaluateOptions {
    let mut options =
        EvaluateOptions::new(detector.input_size(), device).with_threads(detector.threads());
    options.batch_size = detector.batch_size();
    options.decoder = detector.decoder().clone();
    options
}

/// Whether `dataset`, which is not split, is the one that the record of `weights` names.
fn is_training_set(weights: &Path, dataset: &dyn Dataset, detector: &Detector) -> bool {
    let Ok(Holdout::Recorded(record)) = Holdout::of(weights) else { return false };
    detector.threads().install(|| record.parts(dataset, detector.decoder())).is_ok()
}

/// The pictures to judge, and whether they are what was held back of the training pictures.
///
/// A data set may have a validation set of its own, which no weights are trained on.
fn pictures(args: &Args, whole: &SplitDataset, decoder: &Decoder) -> Result<(Pictures, bool)> {
    let is_held_back = args.split == Split::Validation && !whole.has(Split::Validation);
    let pictures = match is_held_back {
        true => Part::Validation.of_listed(whole, args.detector.weights(), decoder)?,
        false => Pictures::all(Box::new(whole.part(args.split)?)),
    };
    Ok((pictures, is_held_back))
}
