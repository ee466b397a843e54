//! The effect of enlarging on pictures that a camera took.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use burn::tensor::Device;
use cifake::{Detector, Label, Picture, tensor_from_rgb8};
use cifake_cli::args::{builder, open};
use cifake_cli::{exit_code, progress_bar};
use cifake_eval::metrics::{Bootstrap, Metric};
use clap::Parser;
use explain::quality::Control;
use explain::{EvidenceExplainer, Explainer, Subject};
use gradcam::{Cam, Method};
use lab::draw::DrawArgs;
use lab::upscalers::upscalers;

/// Enlarges pictures, brings them back to the detector's size, and prints how many of the REAL ones are
/// then called FAKE, what probability of FAKE they get and how many artifacts are named if they are
/// explained as FAKE, each beside the untouched pictures, with 95 % bootstrap intervals.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:
  upscale_effect --limit 2000 --networks $CIFAKE_SHARED/weights"
)]
struct Args {
    #[command(flatten)]
    draw: DrawArgs,
    /// Folder with fsrcnn/FSRCNN_x2.safetensors, fsrcnn/FSRCNN_x4.safetensors and
    /// realesrgan/realesr-animevideov3-x4.safetensors; without it only interpolations are measured.
    #[arg(long, value_name = "FOLDER")]
    networks: Option<PathBuf>,
    /// native, adversarial, static-robust, resnet18_32, or a weight file.
    #[arg(long, alias = "model", value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
    /// A JSON object an upscaler instead of a table.
    #[arg(long)]
    json: bool,
}

/// Of each picture: 1 where it is called FAKE, its probability, the artifacts named.
type Row = [Vec<f64>; 3];

fn main() -> ExitCode {
    exit_code(run(&cifake_cli::parsed()))
}

fn run(args: &Args) -> Result<usize> {
    let (detector, explainer) = (open(builder(), &args.weights)?, EvidenceExplainer::embedded());
    let drawn = args.draw.draw(detector.input_size(), &args.weights)?;
    let real = drawn.pictures.into_iter().zip(drawn.samples);
    let real: Vec<Picture> = real
        .filter(|(_, sample)| sample.label == Label::Real)
        .map(|(picture, _)| picture)
        .collect();
    let upscalers = upscalers(args.networks.as_deref())?;
    let bar = progress_bar()?;
    bar.set_length((real.len() * (1 + upscalers.len())) as u64);
    let untouched = judged(&detector, &explainer, &real, || bar.inc(1))?;
    let mut out = io::stdout().lock();
    for upscaler in upscalers {
        bar.set_message(upscaler.name());
        let (width, height) = detector.input_size();
        let back = |picture: &Picture| Ok(upscaler.upscale(picture)?.fitted(width, height).0);
        let pictures: Vec<Picture> = real.iter().map(back).collect::<Result<_>>()?;
        let row = judged(&detector, &explainer, &pictures, || bar.inc(1))?;
        let compare =
            |i: usize| Control::new(&row[i], &untouched[i], &Bootstrap::new(args.draw.seed));
        let [called_fake, p_fake, named] = [compare(0)?, compare(1)?, compare(2)?];
        let line = if args.json {
            let name = upscaler.name();
            serde_json::json!({
                "upscaler": name, "called_fake": called_fake, "p_fake": p_fake, "named": named,
            })
            .to_string()
        } else {
            let show = |m: &Metric| format!("{:.3} [{:.3}, {:.3}]", m.value, m.low, m.high);
            let shown = [called_fake, p_fake, named]
                .map(|c| format!("{} (untouched {:.3})", show(&c.matched), c.control.value));
            format!(
                "{}: called FAKE {}, p {}, named {}",
                upscaler.name(),
                shown[0],
                shown[1],
                shown[2]
            )
        };
        bar.suspend(|| writeln!(out, "{line}"))?;
    }
    bar.finish_and_clear();
    Ok(0)
}

fn judged(
    detector: &Detector,
    explainer: &EvidenceExplainer,
    pictures: &[Picture],
    progress: impl Fn(),
) -> Result<Row> {
    let (cam, mut row) = (Cam::new(Method::default()), Row::default());
    for picture in pictures {
        let verdict = detector.detect(picture.clone())?;
        let images = tensor_from_rgb8(std::slice::from_ref(picture), &Device::flex())?;
        let map = cam.maps(detector.classifier(), &images, &[Label::Fake])?.remove(0);
        let (map, label, p_fake) = (&map, Label::Fake, verdict.p_fake);
        let found = explainer.explain(&Subject { picture, map, label, p_fake, class: None })?;
        let is_fake = f64::from(u8::from(verdict.label == Label::Fake));
        let values = [is_fake, f64::from(p_fake), found.findings.len() as f64];
        row.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        progress();
    }
    Ok(row)
}
