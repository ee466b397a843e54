//! Shows where the detector looked.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use burn::tensor::Device;
use cifake::tensor_from_rgb8;
use clap::Parser;
use gradcam::{Cam, Colours, Method, overlay, regions};
use lab::attacked::pictures;
use lab::maps::{CamArgs, method_named};
use lab::{detector, exit_code};
use tinyvit::Detector;

/// Side of the pictures that are written, at least.
const SIDE: u32 = 320;
/// How far the strongest place covers the picture.
const OPACITY: f32 = 0.7;
/// Regions that are named.
const N_REGIONS: usize = 3;

/// Draws, for each picture, what speaks for the detector's verdict: NAME.heatmap.png, the picture
/// enlarged under a class activation map, and in words the regions that count most.
#[derive(Parser)]
#[command(after_help = "Examples:
  heatmap datasets/sample
  heatmap --method hirescam --flips --out maps photo.png
  heatmap --layer stages.1.blocks.1.local_conv --json photo.png")]
struct Args {
    /// Pictures and folders of pictures.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    /// grad-cam, grad-cam++, hirescam, layercam, xgrad-cam or eigencam.
    #[arg(long, default_value = Method::default().as_str(), value_parser = method_named)]
    method: Method,
    #[command(flatten)]
    cam: CamArgs,
    /// Folder for the results.
    #[arg(long, default_value = "heatmaps")]
    out: PathBuf,
    /// clean, static-robust or robust, or a weight file.
    #[arg(long, default_value = "clean")]
    model: PathBuf,
    /// One JSON object a picture instead of a table.
    #[arg(long)]
    json: bool,
    /// Draw the sample pictures into a temporary folder.
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(Args::parse()))
}

/// Returns how many pictures failed.
fn run(mut args: Args) -> Result<usize> {
    let temporary = tempfile::tempdir()?;
    if args.smoke {
        args.paths = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample")];
        args.out = temporary.path().to_owned();
    }
    let detector = detector(Some(&args.model))?;
    let cam = args.cam.cam(args.method);
    cam.layer(detector.classifier())?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("make {}", args.out.display()))?;
    let mut out = io::stdout().lock();
    let mut n_failed = 0;
    for path in pictures(&args.paths)? {
        let line = match draw(&detector, &cam, &path, &args.out) {
            Ok(found) if args.json => found.to_string(),
            Ok(found) => format!("{} {}: {}", path.display(), found["label"], found["regions"]),
            Err(error) => {
                n_failed += 1;
                let error = format!("{}: {error:#}", path.display());
                serde_json::json!({"path": path, "error": error}).to_string()
            }
        };
        writeln!(out, "{line}")?;
    }
    Ok(n_failed)
}

fn draw(detector: &Detector, cam: &Cam, path: &Path, out: &Path) -> Result<serde_json::Value> {
    let (width, height) = detector.input_size();
    let fitted = detector.decoder().read_fitted(path, width, height)?;
    let (verdict, picture) = (detector.detect_fitted(&fitted)?, fitted.picture);
    let images = tensor_from_rgb8(std::slice::from_ref(&picture), &Device::flex())?;
    let map = cam.maps(detector.classifier(), &images, &[verdict.label])?.remove(0);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = out.join(format!("{stem}.heatmap.png"));
    overlay(&picture, &map, Colours::default(), OPACITY, SIDE).save(&file)?;
    let names: Vec<String> =
        regions(&map).into_iter().take(N_REGIONS).map(|region| region.name).collect();
    let (label, p_fake, flat) = (verdict.label, verdict.p_fake, map.is_flat());
    Ok(serde_json::json!({
        "path": path, "label": label, "p_fake": p_fake, "answer": verdict.answer, "regions": names, "flat": flat,
        "heatmap": file,
    }))
}
