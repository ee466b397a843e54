//! Says whether a picture was generated, where the detector looked, and what gives it away.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::Parser;
use detect::{ExplainerArgs, report};
use explain::{Inquiry, html_page};
use gradcam::{Cam, Method};
use tinyvit::Detector;

/// Side of the overlay in a file of its own, in pixels.
const SIDE: u32 = 512;

/// Prints the verdict on pictures, the regions that it rests on, and the named artifacts that
/// measurements support there.
///
/// Each artifact of the default explainer comes with the number behind it and where that number lies
/// among camera pictures; a picture in which little is out of the ordinary gets few of them.
#[derive(Parser)]
#[command(after_help = "Examples:
  explain photo.png
  explain --html report.html --overlay overlay.png photo.png
  explain --json photo.png other.png | jq .artifacts[].name

Exit status: 0 if every picture was explained, 1 if some were not, 2 if nothing could be done.")]
struct Args {
    /// Pictures.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    /// Write one self-contained page about all of them here.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Write the picture under the map here; of several pictures, that of the first.
    #[arg(long, value_name = "FILE.png")]
    overlay: Option<PathBuf>,
    #[command(flatten)]
    explainer: ExplainerArgs,
    /// What the picture shows, one of CIFAR-10's classes: only artifacts that it can have are named.
    #[arg(long, value_parser = CLASSES)]
    class: Option<String>,
    /// clean or robust (trained against attacks), or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "clean")]
    weights: PathBuf,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    /// Explain the committed samples.
    #[arg(long)]
    smoke: bool,
}

const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.root_cause().downcast_ref::<io::Error>();
    io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
}

fn run(mut args: Args) -> Result<usize> {
    if args.smoke {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
        args.paths = vec![samples.join("fake-cat-1.jpg"), samples.join("real-cat-1.jpg")];
    }
    let detector = Detector::named(&args.weights)?;
    let explainer = args.explainer.explainer()?;
    let (mut reports, mut n_failed, mut out) = (Vec::new(), 0, io::stdout().lock());
    let (method, cam) = (Method::default(), Cam::new(Method::default()));
    let device = Device::flex();
    let (model, explainer) = (detector.classifier(), &*explainer);
    let inquiry = Inquiry { model, device: &device, cam: &cam, explainer };
    for path in &args.paths {
        match report(&detector, &inquiry, method, path, args.class.as_deref()) {
            Ok(report) => {
                let text = if args.json { report.json() } else { report.to_string() };
                writeln!(out, "{text}")?;
                reports.push(report);
            }
            Err(error) => {
                n_failed += 1;
                eprintln!("{:?}: {error:#}", path);
            }
        }
    }
    if let (Some(file), Some(report)) = (&args.overlay, reports.first()) {
        let image = report.overlay(SIDE);
        image.save(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = args.html.as_ref().filter(|_| !reports.is_empty()) {
        cifake::file::write_atomic(file, html_page(&reports).as_bytes())?;
    }
    Ok(n_failed)
}
