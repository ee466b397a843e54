//! Builds a set of explained pictures for the training of language models.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cifake::text::{counted, one_line, path_text};
use cifake::{Label, error_chain};
use cifake_cli::args::ExplainerArgs;
use cifake_cli::{Spared, exit_code, progress_bar};
use clap::Parser;
use explain::Subject;
use lab::draw::DrawArgs;
use lab::explained::{SetArgs, write_table};

/// Explains pictures and writes a question and an answer for each into explanations.jsonl, in the form
/// of LLaVA and ShareGPT, with the picture and the picture under its map.
///
/// Pictures that the detector judges wrongly are left out. An interrupted build continues and ends with
/// the same bytes. No picture is explained, or paid for, twice: one process at a time works in a folder.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  build_explanations --split train --limit 2000 --out explained
  build_explanations --split train --limit 8000 --named-only \\
    --question 'What gives this picture away?' --out short
  build_explanations --data my/folder --out explained --parquet explained.parquet --json
  GEMINI_API_KEY=... build_explanations --explainer gemini --data my/folder --out gemini

Exit status: 0 if every picture was explained, 1 if some were not, 2 if nothing could be done."
)]
struct Args {
    #[command(flatten)]
    draw: DrawArgs,
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    explainer: ExplainerArgs,
    /// Leave out pictures without named artifacts, REAL ones among them. A continued build explains them
    /// again.
    #[arg(long)]
    named_only: bool,
    /// Also write the whole set as one table here.
    #[arg(long, value_name = "FILE.parquet")]
    parquet: Option<PathBuf>,
    /// A JSON summary instead of a sentence.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    exit_code(run(&cifake_cli::parsed()))
}

/// Returns the number of pictures that could not be explained.
fn run(args: &Args) -> Result<usize> {
    Spared::default().files([&args.parquet])?;
    let temporary = tempfile::tempdir()?;
    let folder = args.set.out.as_deref().unwrap_or(temporary.path());
    let explainer = args.explainer.explainer()?;
    let mut explaining = args.set.open(folder, explainer.name())?;
    let drawn = args.draw.draw(explaining.detector.input_size(), args.set.weights())?;
    let n_before = explaining.set.len();
    let (mut n_wrong, mut n_failed) = (0, 0);
    let bar = progress_bar()?;
    bar.set_length(drawn.pictures.len() as u64);
    for (picture, sample) in drawn.pictures.iter().zip(&drawn.samples) {
        bar.inc(1);
        if explaining.set.holds(picture) || (args.named_only && sample.label == Label::Real) {
            continue;
        }
        let verdict = explaining.detector.detect(picture.clone())?;
        if verdict.label != sample.label {
            n_wrong += 1;
            continue;
        }
        let map = explaining.map(picture, verdict.label)?;
        let (label, p_fake, class) = (verdict.label, verdict.p_fake, sample.class);
        let subject = Subject { picture, map: &map, label, p_fake, class };
        match explainer.explain(&subject) {
            Ok(found) if args.named_only && found.findings.is_empty() => {}
            Ok(found) => explaining.set.add(&sample.id, &subject, &found)?,
            Err(error) => {
                n_failed += 1;
                bar.say(&format!("{}: {}", one_line(&sample.id), one_line(&error_chain(&error))));
            }
        }
    }
    bar.finish_and_clear();
    if let Some(file) = &args.parquet {
        write_table(&explaining.set, folder, file).context("the set as a table")?;
    }
    let (n, n_new) = (explaining.set.len(), explaining.set.len() - n_before);
    let mut out = io::stdout().lock();
    if args.json {
        let (explainer, model) = (explainer.name(), explaining.detector.model_name());
        let summary = serde_json::json!({
            "folder": path_text(folder), "n": n, "n_new": n_new, "n_judged_wrongly": n_wrong,
            "n_failed": n_failed, "explainer": explainer, "model": model,
        });
        writeln!(out, "{summary}")?;
    } else {
        let left_out = format!("{n_wrong} judged wrongly and left out, {n_failed} not explained");
        let folder = path_text(folder);
        let n = counted(n, "picture");
        let line = format!("{folder}: {n}, {n_new} of them new; {left_out}");
        writeln!(out, "{}", one_line(&line))?;
    }
    Ok(n_failed)
}
