//! `cifake robustness`: the accuracy of a detector under attack.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use cifake::Detector;
use cifake::text::path_line;
use cifake_attacks::{
    ModelId, RobustnessProgress, RunOptions, TargetModel, attacks_help, evaluate_built,
    evaluate_robustness,
};

use crate::args::{AttackArgs, DataArgs, DetectorArgs};
use crate::calibrated::Calibrated;
use crate::color::ColorArgs;
use crate::curve::{draw_sweep, kinds_with_radius};
use crate::part::Part;
use crate::{Spared, progress_bar};

/// Measures the accuracy of the detector under attack.
///
/// Attacks a label-balanced sample of a data set. Prints the accuracy before and after each attack, with
/// 95 % bootstrap intervals, for both labels and the worse of them.
///
/// Finished work is kept in --out. It is reused for the same pictures, weights, attack and seed, so an
/// interrupted evaluation resumes and a higher --limit extends an earlier one.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}

Examples:
  cifake robustness --attack apgd --epsilon-255 1 --epsilon-255 2
  cifake robustness --data my/folder --weights adversarial --attack ensemble-linf@2 --limit 200 --json
  cifake robustness --built datasets/perturbed    accuracy on a set of build_cifake_pp",
    attacks_help()))]
pub(crate) struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// Measure the accuracy on this set of build_cifake_pp instead of attacking pictures.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["data", "split", "attacks", "epsilon_255", "steps", "limit"]
    )]
    built: Option<PathBuf>,
    /// Part of the data set.
    #[arg(long, value_enum, default_value = "test")]
    split: Part,
    #[command(flatten)]
    attacks: AttackArgs,
    /// Number of pictures to attack, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: usize,
    /// Folder of finished work; it may hold any number of evaluations.
    #[arg(long, default_value = "runs/robustness")]
    out: PathBuf,
    #[command(flatten)]
    detector: DetectorArgs,
    /// Seed of the draw, of the attacks and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Draw robust accuracy over the radius into this file.
    #[arg(long, value_name = "FILE.png", conflicts_with = "built")]
    curve: Option<PathBuf>,
    /// Print a JSON report instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    color: ColorArgs,
    /// Attack the committed mini set.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Returns 0: an evaluation is whole or fails.
pub(crate) fn run(mut args: Args) -> Result<usize> {
    let temporary = tempfile::tempdir()?;
    if args.smoke {
        args.out = temporary.path().to_owned();
        args.limit = 8;
    }
    let data = match &args.built {
        Some(folder) => folder.clone(),
        None => args.data.path(args.smoke)?,
    };
    let spared = Spared::of([data.as_path(), args.detector.weights()]);
    spared.folder(&args.out)?;
    spared.files([&args.curve])?;
    let (detector, device) = args.detector.detector()?;
    let target = TargetModel::new(detector.classifier()).with_answers(&detector);
    let mut options = run_options(&detector, &device, args.seed, &args.out);
    let bar = progress_bar()?;
    let tell = |what: String, done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_message(what);
        bar.set_position(done as u64);
    };
    let paint = args.color.paint();
    let model = detector.model_name();
    let (json, table) = if args.built.is_some() {
        let mut told = |done, total| tell(String::new(), done, total);
        let report = evaluate_built(&Calibrated(&detector), &data, &options, &mut told)?;
        (serde_json::to_value(&report)?, report.to_string())
    } else {
        let names = args.attacks.names();
        if args.curve.is_some() {
            kinds_with_radius(&names)?;
        }
        let attacks = args.attacks.suite()?;
        let (weights, decoder) = (args.detector.weights(), detector.decoder());
        let pictures = args.split.of(&args.data, &data, weights, decoder)?;
        let drawn = || pictures.readable(args.limit, args.seed, decoder);
        options.indices = Some(detector.threads().install(drawn)?);
        let report = evaluate_robustness(
            &target,
            &ModelId::new(model, &detector.weights().sha256),
            &*pictures.dataset,
            &attacks,
            &options,
            &mut |progress| {
                let done = progress.done + progress.under_way as usize;
                tell(message(&progress), done, progress.total);
            },
        )?;
        if let Some(file) = &args.curve {
            draw_sweep(&names, &report.attacks, file)?;
        }
        (serde_json::to_value(&report)?, report.to_string())
    };
    bar.finish_and_clear();
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{json:#}")?
    } else {
        writeln!(out, "{model} on {}\n\n{}", path_line(&data), paint.table(&table))?
    }
    Ok(0)
}

/// The options for attacks on `detector`, which computes on `device`, with finished work in `folder`.
pub(crate) fn run_options(
    detector: &Detector,
    device: &Device,
    seed: u64,
    folder: &Path,
) -> RunOptions {
    let mut options = RunOptions::new(detector.input_size(), folder);
    options.device = device.clone();
    options.decoder = detector.decoder().clone();
    options.seed = seed;
    options.bootstrap.seed = seed;
    options
}

/// The attack under way, and its work on the present batch where it tells that.
fn message(progress: &RobustnessProgress<'_>) -> String {
    match progress.under_way > 0.0 {
        true => format!("{}, {:.1} pictures of a batch", progress.attack, progress.under_way),
        false => progress.attack.to_owned(),
    }
}
