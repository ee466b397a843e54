//! `cifake detect`: a verdict a picture.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Instant;

use anyhow::Result;
use cifake::text::one_line;
use cifake::{Summary, json_line_with, table_header, table_row};
use provenance::CAUTION;

use crate::args::{DetectorArgs, inputs, samples};
use crate::color::ColorArgs;
use crate::declared::ProvenanceArgs;
use crate::{Progress, progress_bar};

/// From this many inputs on, progress is shown.
const MANY: usize = 200;

/// Tells whether pictures are REAL or FAKE.
///
/// The model sees 32x32 pixels. A picture of another size is resized as a whole, and the output
/// says so: such a verdict is worth less. The answer is UNSURE where the model cannot tell: the picture
/// is too close to call, or unlike all that it learned from. A file that cannot be read gets an error in
/// its place.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake detect photo.jpg                          one picture
  cifake detect datasets/sample 'more/**/*.png'    a folder at any depth, a pattern
  cifake detect --provenance photo.jpg             and what its file says of its origin
  curl -s https://example.org/a.jpg | cifake detect -
  cifake detect --json --threshold 0.9 uploads > verdicts.jsonl")]
pub(crate) struct Args {
    /// Files, folders or patterns; `-` is a picture on standard input.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    provenance: ProvenanceArgs,
    #[command(flatten)]
    color: ColorArgs,
    #[command(flatten)]
    detector: DetectorArgs,
    /// Judge the committed samples and nothing else.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Returns how many inputs got no verdict.
pub(crate) fn run(args: &Args) -> Result<usize> {
    let question = args.provenance.question()?;
    let is_asked = question.is_asked();
    let (detector, _) = args.detector.detector()?;
    let inputs = if args.smoke { inputs(&[samples()]) } else { inputs(&args.paths) };
    // On a terminal the verdicts themselves tell how far the work is.
    let is_quiet = inputs.len() < MANY || io::stdout().is_terminal();
    let bar = if is_quiet { Progress::hidden() } else { progress_bar()? };
    bar.set_length(inputs.len() as u64);
    let (started, mut summary, mut out) = (Instant::now(), Summary::default(), io::stdout().lock());
    if !args.json {
        writeln!(out, "{}", table_header())?;
    }
    let paint = args.color.paint();
    // The answers come in the order of the inputs, each sent before its input is read.
    let (sender, answers) = channel();
    let inputs = inputs.into_iter().map(move |input| {
        let (input, declared) = question.ask(input);
        // Nobody listens any more if the output was closed.
        let _ = sender.send(declared);
        input
    });
    let written = detector.detect_each(inputs, |path, outcome| {
        summary.add(&outcome);
        bar.inc(1);
        let declared = answers.recv().unwrap_or_default();
        if args.json {
            return writeln!(out, "{}", json_line_with(path, &outcome, &declared.field()));
        }
        // A name of several lines or with escape sequences must not forge other rows.
        let row = table_row(path, &outcome);
        writeln!(out, "{}", paint.verdicts(&one_line(&row)))?;
        let mut lines = declared.lines().into_iter();
        lines.try_for_each(|line| writeln!(out, "        {}", one_line(&line)))
    });
    bar.finish_and_clear();
    match written {
        // The reader of the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(summary.n_failed),
        written => written?,
    }
    if !args.json {
        let (seconds, threshold) = (started.elapsed().as_secs_f64(), detector.threshold());
        let speed = summary.n_inputs() as f64 / seconds;
        writeln!(out, "\n{summary}; {seconds:.2} s, {speed:.0} images/s")?;
        writeln!(out, "{}, threshold {threshold}", detector.model_name())?;
        if is_asked {
            writeln!(out, "{CAUTION}")?;
        }
    }
    Ok(summary.n_failed)
}
