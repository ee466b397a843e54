//! Tells pictures that a camera took from those that a generative model made.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use tinyvit::{Detector, Input, Summary, json_line, table_header, table_row};

/// From this many inputs on, progress is shown (on a terminal).
const MANY: usize = 200;

/// Tells whether pictures are REAL or FAKE.
///
/// The model sees 32x32 pixels. A picture of another size is resized as a whole, and the output
/// says so: such a verdict is worth less. The answer is UNSURE where the model cannot tell: the picture is
/// too close to call, or unlike all that it learned from. A file that cannot be read gets an error in its
/// place.
#[derive(Parser)]
#[command(after_help = "Examples:
  detect photo.jpg                          one picture
  detect datasets/sample 'more/**/*.png'    a folder at any depth, a pattern
  curl -s https://example.org/a.jpg | detect -
  detect --json --threshold 0.9 uploads > verdicts.jsonl

Exit status: 0 if every input got a verdict, 1 if some did not, 2 if nothing could be done.")]
struct Args {
    /// Files, folders or patterns; `-` is a picture on standard input.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Call a picture FAKE from this probability on [default: the weight file's].
    #[arg(long)]
    threshold: Option<f32>,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Threads to decode and compute in; 0 takes all cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// clean or robust (trained against attacks), or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "clean")]
    weights: PathBuf,
    /// Judge the committed samples and nothing else.
    #[arg(long)]
    smoke: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(summary) if summary.n_failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<Summary> {
    let detector = detector(args)?;
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
    let paths = if args.smoke { std::slice::from_ref(&samples) } else { &args.paths };
    let inputs: Vec<Input> = paths.iter().flat_map(|path| expand(path)).collect();
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} | {per_sec} | {eta} to go")?;
    let bar = match inputs.len() {
        n if n < MANY => ProgressBar::hidden(),
        n => ProgressBar::new(n as u64).with_style(style),
    };
    let (started, mut summary, mut out) = (Instant::now(), Summary::default(), io::stdout().lock());
    if !args.json {
        writeln!(out, "{}", table_header())?;
    }
    let written = detector.detect_each(inputs, |path, outcome| {
        summary.add(&outcome);
        bar.inc(1);
        let line = if args.json { json_line(path, &outcome) } else { table_row(path, &outcome) };
        bar.suspend(|| writeln!(out, "{line}"))
    });
    bar.finish_and_clear();
    match written {
        // Whoever reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(summary),
        written => written?,
    }
    if !args.json {
        let (seconds, threshold) = (started.elapsed().as_secs_f64(), detector.threshold());
        let speed = summary.n_inputs() as f64 / seconds;
        writeln!(out, "\n{summary}; {seconds:.2} s, {speed:.0} images/s")?;
        writeln!(out, "{}, threshold {threshold}", detector.model_name())?;
    }
    Ok(summary)
}

fn detector(args: &Args) -> Result<Detector> {
    let detector = Detector::named(&args.weights)?.with_threads(args.threads)?;
    let detector = detector.on(&cifake::device::parse(&args.device)?);
    Ok(match args.threshold {
        Some(threshold) => detector.with_threshold(threshold)?,
        None => detector,
    })
}

fn expand(path: &Path) -> Vec<Input> {
    match path.to_str() {
        Some("-") => vec![Input::reader("-", io::stdin())],
        _ => Input::expand(path),
    }
}
