//! Measures how well the measurements behind artifacts separate REAL from FAKE, and calibrates them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use cifake::is_near_grey;
use cifake_cli::{Spared, exit_code};
use cifake_eval::metrics::Bootstrap;
use clap::Parser;
use explain::evidence::{Survey, SurveyRow};
use lab::draw::DrawArgs;
use lab::tail;

/// Height and width of the pictures.
const SIDE: u32 = 32;

/// Prints the AUC of each measurement with 95 % bootstrap intervals: the probability that a FAKE picture
/// lies further out than a REAL one, on the side on which the measurement supports its artifact.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  evidence --split validation --limit 4000
  evidence --split train --limit 20000 \\
      --calibration crates/explain/src/evidence/calibration.json"
)]
struct Args {
    #[command(flatten)]
    draw: DrawArgs,
    /// Write the calibration by these pictures here.
    #[arg(long, value_name = "FILE.json")]
    calibration: Option<PathBuf>,
    /// Share of camera pictures, in percent, that may be as far out as a value out of the ordinary.
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = tail)]
    tail: f64,
    /// A JSON list instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    exit_code(run(&cifake_cli::parsed()))
}

fn run(args: &Args) -> Result<usize> {
    Spared::default().files([&args.calibration])?;
    // No detector judges here: the parts are those of the default weights.
    let (drawn, seed) = (args.draw.draw((SIDE, SIDE), Path::new("native"))?, args.draw.seed);
    let labels = drawn.labels();
    let is_grey: Vec<bool> = drawn.pictures.iter().map(|p| is_near_grey(p.pixels())).collect();
    let survey = Survey::new(&drawn.pictures, &labels);
    let rows = survey.rows(&is_grey, &Bootstrap::new(seed))?;
    if let Some(file) = &args.calibration {
        let (n, part) = (labels.len(), args.draw.split);
        let origin = format!("{n} pictures of CIFAKE's {part:?} part, seed {seed}");
        let calibration = survey.calibration(&rows, origin, SIDE, args.tail)?;
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
    format!("{:<24} {:<5} AUC {all}, coloured {coloured}", row.measure, format!("{:?}", row.side))
}
