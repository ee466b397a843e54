//! Counts the artifacts that measurements name, on pictures that have them and on camera pictures.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use cifake::metrics::Bootstrap;
use cifake::{Decoder, Label, Picture, load_pixels};
use clap::Parser;
use explain::evidence::Calibration;
use explain::quality::{Control, wrong_pictures};
use explain::{EvidenceExplainer, Explainer, Subject};
use gradcam::{HeatMap, Method};
use lab::maps::{CamArgs, maps, method_named};
use lab::part::Part;
use lab::{detector, exit_code, progress_bar, tail};

/// Explains every picture as if it had been called FAKE and prints how many artifacts are named on
/// average, with 95 % bootstrap intervals: on REAL ones few should be, and on FAKE ones more with the
/// picture's own map than with another's.
#[derive(Parser)]
#[command(after_help = "Example:
  named_artifacts --data ../shared/datasets/cifake --split validation --tail 2.5 --tail 5")]
struct Args {
    /// Folder with the CIFAKE zips, a folder with REAL and FAKE, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// Pictures of which part.
    #[arg(long, value_enum, default_value = "validation")]
    split: Part,
    /// Pictures, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    limit: usize,
    /// Seed of the draw, of the exchanged maps and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Method of the maps.
    #[arg(long, default_value = "gradcam", value_parser = method_named)]
    method: Method,
    #[command(flatten)]
    cam: CamArgs,
    /// Share of camera pictures, in percent, that may be as far out; may be given several times
    /// [default: the calibration's].
    #[arg(long, value_name = "PERCENT", value_parser = tail)]
    tail: Vec<f64>,
    /// clean, static-robust or robust, or a weight file.
    #[arg(long, default_value = "clean")]
    model: PathBuf,
    /// Count on the committed mini set.
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(Args::parse()))
}

fn run(mut args: Args) -> Result<usize> {
    if args.smoke {
        args.data = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini"));
        (args.split, args.limit) = (Part::Test, 8);
    }
    let data = args.data.as_deref().context("--data is required")?;
    let detector = detector(Some(&args.model))?;
    let (width, height) = detector.input_size();
    let part = args.split.of(data)?;
    let chosen = part.balanced(args.limit, args.seed);
    let pixels = load_pixels(&*part.dataset, &chosen, (width, height), &Decoder::default())?;
    let labels: Vec<Label> = chosen.iter().map(|&i| part.dataset.samples()[i].label).collect();
    let images =
        cifake::tensor_from_flat_rgb8(&pixels, height as usize, width as usize, &Device::flex());
    let bar = progress_bar()?;
    bar.set_length(chosen.len() as u64);
    let (cam, fake) = (args.cam.cam(args.method), vec![Label::Fake; chosen.len()]);
    let maps = maps(detector.classifier(), &cam, &images, &fake, |n| bar.inc(n as u64))?;
    bar.finish_and_clear();
    let pictures: Result<Vec<Picture>, _> = pixels
        .chunks_exact((width * height * 3) as usize)
        .map(|pixels| Picture::new(pixels.to_vec(), width, height))
        .collect();
    let pictures = pictures?;
    let embedded = EvidenceExplainer::embedded().calibration().clone();
    let tails = if args.tail.is_empty() { vec![embedded.tail] } else { args.tail };
    let mut out = io::stdout().lock();
    for tail in tails {
        let explainer = EvidenceExplainer::new(Calibration { tail, ..embedded.clone() });
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
            let exchanged = wrong_pictures(of_label.len(), args.seed);
            let with_another = of_label.iter().zip(&exchanged);
            let others: Vec<f64> = with_another
                .map(|(&i, &other)| count(i, &maps[of_label[other]]))
                .collect::<Result<_>>()?;
            let none = own.iter().filter(|&&count| count == 0.0).count();
            let share = 100.0 * none as f64 / own.len() as f64;
            let compared = Control::new(&own, &others, &Bootstrap::new(args.seed))?;
            writeln!(out, "tail {tail} %, {label}: {compared}; none on {share:.1} %")?;
        }
    }
    Ok(0)
}
