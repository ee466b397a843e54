//! Counts the artifacts that measurements name on generated pictures and on camera pictures.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use cifake::{Label, tensor_from_rgb8};
use cifake_cli::args::{CamArgs, METHOD, builder, method_named, open};
use cifake_cli::{exit_code, progress_bar};
use cifake_eval::metrics::Bootstrap;
use clap::Parser;
use explain::quality::{Control, wrong_pictures};
use explain::{EvidenceExplainer, Explainer, Subject};
use gradcam::{HeatMap, Method};
use lab::draw::DrawArgs;
use lab::maps::maps;
use lab::tail;

/// Explains every picture as if it were called FAKE, and prints the mean number of named artifacts with
/// 95 % bootstrap intervals.
///
/// REAL pictures should have few. FAKE pictures should have more with their own map than with that of
/// another picture.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:
  named_artifacts --limit 2000 --tail 2.5 --tail 5"
)]
struct Args {
    #[command(flatten)]
    draw: DrawArgs,
    /// Method of the maps.
    #[arg(long, default_value = METHOD, value_parser = method_named)]
    method: Method,
    #[command(flatten)]
    cam: CamArgs,
    /// Share of camera pictures, in percent, that may be as far out; may be given several times
    /// [default: the calibration's].
    #[arg(long, value_name = "PERCENT", value_parser = tail)]
    tail: Vec<f64>,
    /// native, adversarial, static-robust, resnet18_32, or a weight file.
    #[arg(long, alias = "model", value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()))
}

fn run(args: Args) -> Result<usize> {
    let detector = open(builder(), &args.weights)?;
    let (drawn, seed) = (args.draw.draw(detector.input_size(), &args.weights)?, args.draw.seed);
    let (pictures, labels) = (&drawn.pictures, drawn.labels());
    let images = tensor_from_rgb8(pictures, &Device::flex())?;
    let bar = progress_bar()?;
    bar.set_length(labels.len() as u64);
    let (cam, fake) = (args.cam.cam(args.method), vec![Label::Fake; labels.len()]);
    let maps = maps(detector.classifier(), &cam, &images, &fake, |n| bar.inc(n as u64))?;
    bar.finish_and_clear();
    let embedded = EvidenceExplainer::embedded().calibration().clone();
    let tails = if args.tail.is_empty() { vec![embedded.tail()] } else { args.tail };
    let mut out = io::stdout().lock();
    for tail in tails {
        let explainer = EvidenceExplainer::new(embedded.clone().with_tail(tail)?);
        let count = |i: usize, map: &HeatMap| -> Result<f64> {
            let (picture, label, p_fake) = (&pictures[i], Label::Fake, 1.0);
            let subject = Subject { picture, map, label, p_fake, class: None };
            Ok(explainer.explain(&subject)?.findings.len() as f64)
        };
        for label in Label::ALL {
            let of_label: Vec<usize> =
                (0..pictures.len()).filter(|&i| labels[i] == label).collect();
            let own: Vec<f64> =
                of_label.iter().map(|&i| count(i, &maps[i])).collect::<Result<_>>()?;
            ensure!(of_label.len() > 1, "two pictures of each label are needed");
            let exchanged = wrong_pictures(of_label.len(), seed);
            let with_another = of_label.iter().zip(&exchanged);
            let others: Vec<f64> = with_another
                .map(|(&i, &other)| count(i, &maps[of_label[other]]))
                .collect::<Result<_>>()?;
            let none = own.iter().filter(|&&count| count == 0.0).count();
            let share = 100.0 * none as f64 / own.len() as f64;
            let compared = Control::new(&own, &others, &Bootstrap::new(seed))?;
            writeln!(out, "tail {tail} %, {label}: {compared}; none on {share:.1} %")?;
        }
    }
    Ok(0)
}
