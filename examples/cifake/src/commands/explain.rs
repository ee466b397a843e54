//! `cifake explain`: the verdict, where the detector looked, and the artifacts that measurements support.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use explain::{Inquiry, Report, html_page};
use gradcam::{Cam, Method};
use serde_json::json;

use crate::args::{DetectorArgs, ExplainerArgs, inputs, method_named, samples};
use crate::report;

/// Side of the overlay in a file of its own, in pixels.
const SIDE: u32 = 512;

/// Prints the verdict on pictures, the regions that it rests on, and the named artifacts that
/// measurements support there.
///
/// Each artifact of the default explainer comes with the number behind it and its percentile among
/// camera pictures. A picture in which little is out of the ordinary gets few artifacts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake explain photo.png
  cifake explain --html report.html --overlay overlay.png photo.png
  cifake explain --json pictures/ | jq .artifacts[].name")]
pub(crate) struct Args {
    /// Files, folders or patterns; `-` is a picture on standard input.
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
    /// grad-cam, grad-cam++, hirescam, layercam, xgrad-cam or eigencam.
    #[arg(long, default_value = Method::default().as_str(), value_parser = method_named)]
    method: Method,
    /// What the picture shows, one of CIFAR-10's classes: only artifacts that it can have are named.
    #[arg(long, value_parser = PossibleValuesParser::new(CLASSES))]
    class: Option<String>,
    #[command(flatten)]
    detector: DetectorArgs,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    /// Explain two of the committed samples.
    #[arg(long, hide = true)]
    smoke: bool,
}

const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Returns how many pictures could not be explained.
pub(crate) fn run(mut args: Args) -> Result<usize> {
    if args.smoke {
        args.paths = ["fake-cat-1.jpg", "real-cat-1.jpg"].map(|name| samples().join(name)).to_vec();
    }
    let (detector, device) = args.detector.detector()?;
    let explainer = args.explainer.explainer()?;
    let (method, cam) = (args.method, Cam::new(args.method));
    let inquiry = Inquiry {
        model: detector.classifier(),
        device: &device,
        cam: &cam,
        explainer: &*explainer,
    };
    let inputs = inputs(&args.paths);
    let (mut reports, mut n_failed, mut out) = (Vec::new(), 0, io::stdout().lock());
    for input in inputs {
        let (name, fitted) = detector.fit(input);
        let outcome = fitted.map_err(anyhow::Error::from).and_then(|fitted| {
            report(&detector, &inquiry, method, (&name, &fitted), args.class.as_deref())
        });
        match outcome {
            Ok(report) => {
                writeln!(out, "{}", if args.json { report.json() } else { report.to_string() })?;
                reports.push(report);
            }
            Err(error) => {
                n_failed += 1;
                if args.json {
                    writeln!(out, "{}", json!({ "path": name, "error": format!("{error:#}") }))?;
                } else {
                    eprintln!("{name:?}: {error:#}");
                }
            }
        }
    }
    write_files(&args, &reports)?;
    Ok(n_failed)
}

fn write_files(args: &Args, reports: &[Report]) -> Result<()> {
    if let (Some(file), Some(report)) = (&args.overlay, reports.first()) {
        let image = report.overlay(SIDE);
        image.save(file).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = args.html.as_ref().filter(|_| !reports.is_empty()) {
        cifake::file::write_atomic(file, html_page(reports).as_bytes())?;
    }
    Ok(())
}
