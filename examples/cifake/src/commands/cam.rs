//! `cifake cam`: class activation maps of pictures.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use cifake::text::{counted, one_line, path_text};
use cifake::{Detector, Fitted, InputFit, Picture, error_chain, tensor_from_rgb8};
use gradcam::{Cam, Colormap, Method, RegionShare, overlay, reduced, regions};

use crate::args::{CamArgs, DetectorArgs, METHOD, inputs, method_named, samples};
use crate::named::{Named, error_line, named};
use crate::spared::Spared;

/// Least longer side of the pictures that are written, in pixels.
const SIDE: u32 = 320;
/// Longest side of a picture that is resized for the model, in pixels.
const MAX_SHOWN: u32 = 1024;
/// Opacity of the map at its strongest place.
const OPACITY: f32 = 0.7;
/// Number of regions that are named.
const N_REGIONS: usize = 3;

/// Draws class activation maps: the places of each picture that speak for its verdict.
///
/// Writes NAME.heatmap.png, the picture under its map, and prints the answer, as detect does, and the strongest
/// regions for the label. The label is the side of the threshold, also where the answer is UNSURE.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake cam datasets/sample
  cifake cam --method hirescam --flips --out maps photo.png
  cifake cam --layer stages.1.blocks.1.local_conv --json photo.png")]
pub(crate) struct Args {
    /// Files, folders or patterns; `-` is a picture on standard input.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    /// grad-cam, grad-cam++, hirescam, layercam, xgrad-cam or eigencam.
    #[arg(long, default_value = METHOD, value_parser = method_named)]
    method: Method,
    #[command(flatten)]
    cam: CamArgs,
    /// Folder for the results; it is made where it does not exist.
    #[arg(long, default_value = "heatmaps")]
    out: PathBuf,
    #[command(flatten)]
    detector: DetectorArgs,
    /// One JSON object a picture instead of a table.
    #[arg(long)]
    json: bool,
    /// Draw the sample pictures into a temporary folder.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Returns how many pictures failed.
pub(crate) fn run(mut args: Args) -> Result<usize> {
    let temporary = tempfile::tempdir()?;
    if args.smoke {
        args.paths = vec![samples()];
        args.out = temporary.path().to_owned();
    }
    Spared::default().folder(&args.out)?;
    let (detector, device) = args.detector.detector()?;
    let cam = args.cam.cam(args.method);
    cam.layer(detector.classifier())?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("make {}", args.out.display()))?;
    let mut out = io::stdout().lock();
    if !args.json {
        writeln!(out, "{}", columns("ANSWER", "P(FAKE)", "LABEL", "PICTURE: REGIONS -> MAP"))?;
    }
    let mut n_failed = 0;
    let pictures = named(inputs(&args.paths));
    let spared = Spared::of(pictures.iter().filter_map(|picture| picture.input.path()));
    let n_pictures = pictures.len();
    for Named { input, stem } in pictures {
        let (path, picture) = input.picture(detector.decoder());
        let file = args.out.join(format!("{stem}.heatmap.png"));
        let drawn = spared.refuse(&file).and_then(|()| {
            let found = draw((&detector, &device), &cam, picture?, &file)?;
            Ok(with_names(found, &path, &file))
        });
        let line = match drawn {
            Ok(found) if args.json => found.to_string(),
            Ok(found) => one_line(&row(&found)).into_owned(),
            Err(error) => {
                n_failed += 1;
                failed(&path, &error_chain(error.as_ref()), args.json)
            }
        };
        writeln!(out, "{line}")?;
    }
    if !args.json {
        let (n, folder) = (counted(n_pictures - n_failed, "map"), path_text(&args.out));
        writeln!(out, "\n{n} in {}: NAME.heatmap.png", one_line(&folder))?;
    }
    Ok(n_failed)
}

/// The line of a picture: the answer, its label, the strongest regions and the file with the map.
fn row(found: &serde_json::Value) -> String {
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let regions = found["regions"].as_array().into_iter().flatten();
    let regions: Vec<&str> = regions.filter_map(serde_json::Value::as_str).collect();
    let regions = match found["flat"].as_bool() {
        Some(true) => "no place stands out".to_owned(),
        _ => regions.join(", "),
    };
    let percent = format!("{:.1} %", 100.0 * found["p_fake"].as_f64().unwrap_or(f64::NAN));
    let rest = format!("{}: {regions} -> {}", text("path"), text("heatmap"));
    columns(&text("answer"), &percent, &text("label"), &rest)
}

fn columns(answer: &str, p_fake: &str, label: &str, rest: &str) -> String {
    format!("{answer:<6}  {p_fake:>7}  {label:<5}  {rest}")
}

/// The line of a picture that failed.
fn failed(path: &str, error: &str, as_json: bool) -> String {
    match as_json {
        true => serde_json::json!({"path": path, "error": error}).to_string(),
        false => error_line(path, error),
    }
}

/// The report `found`, with the names of their picture and of the file with the map.
fn with_names(mut found: serde_json::Value, path: &str, file: &Path) -> serde_json::Value {
    found["path"] = path.into();
    found["heatmap"] = path_text(file).into();
    found
}

/// Draws the map of the picture `given` into `file`; returns what it shows.
fn draw(
    (detector, device): (&Detector, &Device),
    cam: &Cam,
    given: Picture,
    file: &Path,
) -> Result<serde_json::Value> {
    let (width, height) = detector.input_size();
    let (original_width, original_height) = (given.width(), given.height());
    let (picture, fit) = given.clone().fitted(width, height);
    let fitted = Fitted { picture, fit, original_width, original_height };
    let (verdict, picture) = (detector.detect_fitted(&fitted)?, fitted.picture);
    let shown = match fit {
        InputFit::Native => given,
        InputFit::Resized => reduced(&given, MAX_SHOWN),
    };
    let images = tensor_from_rgb8(std::slice::from_ref(&picture), device)?;
    let map = cam.maps(detector.classifier(), &images, &[verdict.label])?.remove(0);
    let drawn = overlay(&shown, &map, Colormap::default(), OPACITY, SIDE);
    cifake::file::write_atomic(file, &Picture::from(drawn).to_png())?;
    let strongest = regions(&map).into_iter().take(N_REGIONS);
    let names: Vec<_> = strongest.map(|RegionShare { region, .. }| region).collect();
    let (label, p_fake, flat) = (verdict.label, verdict.p_fake, map.is_flat());
    Ok(serde_json::json!({
        "label": label, "p_fake": p_fake, "answer": verdict.answer, "regions": names, "flat": flat,
    }))
}
