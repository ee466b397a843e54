//! Measures how well the measurements behind artifacts tell REAL from FAKE, and calibrates them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use cifake::metrics::Bootstrap;
use cifake::{Decoder, Label, Picture, is_near_grey, load_pixels};
use clap::Parser;
use explain::evidence::{Survey, SurveyRow};
use lab::part::Part;
use lab::{exit_code, tail};

/// Height and width of the pictures.
const SIDE: u32 = 32;

/// Prints for each measurement the probability that a FAKE picture lies further on the side on which
/// the measurement supports an artifact than a REAL one (AUC), with 95 % bootstrap intervals.
#[derive(Parser)]
#[command(after_help = "Examples:
  evidence --data ../shared/datasets/cifake --split validation --limit 4000
  evidence --data ../shared/datasets/cifake --split train --limit 20000 \\
      --calibration crates/explain/src/evidence/calibration.json")]
struct Args {
    /// Folder with the CIFAKE zips, a folder with REAL and FAKE, or a parquet file.
    #[arg(long, required_unless_present = "smoke")]
    data: Option<PathBuf>,
    /// Pictures of which part.
    #[arg(long, value_enum, default_value = "validation")]
    split: Part,
    /// Pictures, half of them REAL, drawn by the seed.
    #[arg(long, value_name = "N", default_value_t = 4000)]
    limit: usize,
    /// Seed of the draw and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the calibration that these pictures give here.
    #[arg(long, value_name = "FILE.json")]
    calibration: Option<PathBuf>,
    /// Share of camera pictures, in percent, that may be as far out as what is out of the ordinary.
    #[arg(long, value_name = "PERCENT", default_value = "7.5", value_parser = tail)]
    tail: f64,
    /// A JSON list instead of a table.
    #[arg(long)]
    json: bool,
    /// Measure the committed mini set.
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(Args::parse()))
}

fn run(mut args: Args) -> Result<usize> {
    if args.smoke {
        args.data = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini"));
        args.split = Part::Test;
    }
    let data = args.data.as_deref().context("--data is required")?;
    let part = args.split.of(data)?;
    let chosen = part.balanced(args.limit, args.seed);
    let pixels = load_pixels(&*part.dataset, &chosen, (SIDE, SIDE), &Decoder::default())?;
    let pixels = pixels.chunks_exact((SIDE * SIDE * 3) as usize);
    let is_grey: Vec<bool> = pixels.clone().map(is_near_grey).collect();
    let pictures: Result<Vec<Picture>, _> =
        pixels.map(|pixels| Picture::new(pixels.to_vec(), SIDE, SIDE)).collect();
    let labels: Vec<Label> = chosen.iter().map(|&i| part.dataset.samples()[i].label).collect();
    let survey = Survey::new(&pictures?, &labels);
    let rows = survey.rows(&is_grey, &Bootstrap::new(args.seed))?;
    if let Some(file) = &args.calibration {
        let origin = format!(
            "{} pictures of CIFAKE's {:?} part, seed {}",
            labels.len(),
            args.split,
            args.seed
        );
        let calibration = survey.calibration(&rows, origin, SIDE, args.tail);
        cifake::file::write_atomic(file, &serde_json::to_vec(&calibration)?)?;
    }
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", serde_json::to_value(&rows)?)?;
    } else {
        rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))?;
    }
    Ok(0)
}

fn line(row: &SurveyRow) -> String {
    let [all, coloured] = [&row.auc, &row.auc_coloured]
        .map(|m| format!("{:.3} [{:.3}, {:.3}]", m.value, m.low, m.high));
    format!("{:<22} {:<5} AUC {all}, coloured {coloured}", row.measure, format!("{:?}", row.side))
}
