//! Measures how faithful class activation maps are.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use burn::tensor::Device;
use cifake::{Decoder, load_pixels};
use clap::Parser;
use gradcam::{Method, faithfulness};
use lab::maps::{CamArgs, maps, method_named, verdicts};
use lab::part::Part;
use lab::{detector, exit_code, progress_bar};

/// Deletes, inserts and blurs what a map marks and prints how the detector's probability follows,
/// for each method beside random maps and a centre prior, with 95 % bootstrap intervals.
#[derive(Parser)]
#[command(after_help = "Example:
  faithfulness --data ../shared/datasets/cifake --limit 1000 --json")]
struct Args {
    /// Folder with the CIFAKE zips, a folder with REAL and FAKE, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// Validation chooses a method, test reports it.
    #[arg(long, value_enum, default_value = "validation")]
    split: Part,
    /// A method; may be given several times [default: all].
    #[arg(long = "method", value_parser = method_named)]
    methods: Vec<Method>,
    #[command(flatten)]
    cam: CamArgs,
    /// Pictures, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Seed of the draw, of the random maps and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Weight file to use instead of the built-in one, or `robust`.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// A JSON object a method instead of a table.
    #[arg(long)]
    json: bool,
    /// Measure four pictures of the committed mini set.
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(Args::parse()))
}

fn run(mut args: Args) -> Result<usize> {
    if args.smoke {
        args.data = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini"));
        (args.split, args.limit) = (Part::Test, 4);
    }
    if args.methods.is_empty() {
        args.methods = Method::ALL.to_vec();
    }
    let data = args.data.as_deref().context("--data is required")?;
    let detector = detector(args.weights.as_deref())?;
    let classifier = detector.classifier();
    let plan = classifier.model().compile(classifier.config());
    let pictures = args.split.of(data)?;
    let chosen = pictures.balanced(args.limit, args.seed);
    let size = detector.input_size();
    let pixels = load_pixels(&*pictures.dataset, &chosen, size, &Decoder::default())?;
    let (width, height) = (size.0 as usize, size.1 as usize);
    let images = cifake::tensor_from_flat_rgb8(&pixels, height, width, &Device::flex());
    let verdicts = verdicts(&plan, &images);
    let bar = progress_bar()?;
    bar.set_length((args.methods.len() * chosen.len()) as u64);
    let mut out = io::stdout().lock();
    for method in args.methods {
        let cam = args.cam.cam(method);
        let maps = maps(classifier, &cam, &images, &verdicts, |_| {})?;
        let report = faithfulness(&plan, &images, &verdicts, &maps, args.seed)?;
        bar.inc(chosen.len() as u64);
        if args.json {
            let json = serde_json::json!({"method": method, "report": report});
            bar.suspend(|| writeln!(out, "{json}"))?;
        } else {
            bar.suspend(|| writeln!(out, "{}\n{report}\n", method.as_str()))?;
        }
    }
    bar.finish_and_clear();
    Ok(0)
}
