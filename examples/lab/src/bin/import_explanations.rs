//! Makes a set of explained pictures from given answers.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use cifake::text::{counted, one_line, path_text};
use cifake::{Label, error_chain};
use cifake_cli::{exit_code, progress_bar};
use clap::Parser;
use explain::{ContestAnswers, Subject};
use lab::explained::{SetArgs, shorten};

/// Longest file of answers that is read.
const MAX_BYTES: u64 = 64 << 20;

/// Writes given answers about pictures as a set, like build_explanations: a question and an answer for
/// each, in the form of LLaVA and ShareGPT, with the picture and the picture under its map.
///
/// The first 7 listed artifacts of a picture are kept, and the first 50 words of each. Pictures without
/// any are left out. An interrupted import continues.
#[derive(Parser)]
#[command(
    version,
    after_help = "The pictures are named by their index, such as 17.png; the answers have the form
  [{\"index\": 17, \"explanation\": {\"Artifact name\": \"text\"}}, ...]

Example:
  import_explanations --images contest/images --out explained/team contest/explanations/team.json

Exit status: 0 if every picture was read, 1 if some were not, 2 if nothing could be done."
)]
struct Args {
    /// The answers.
    #[arg(required_unless_present = "smoke")]
    answers: Option<PathBuf>,
    /// Folder of the pictures.
    #[arg(long, value_name = "DIR", required_unless_present = "smoke")]
    images: Option<PathBuf>,
    #[command(flatten)]
    set: SetArgs,
    /// A JSON summary instead of a sentence.
    #[arg(long)]
    json: bool,
    /// Import an answer about a committed sample.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()))
}

/// Returns how many pictures were not found or could not be read.
fn run(mut args: Args) -> Result<usize> {
    let temporary = tempfile::tempdir()?;
    if args.smoke {
        smoke(&mut args, temporary.path())?;
    }
    let file = args.answers.as_deref().context("the answers are required")?;
    let images = args.images.as_deref().context("--images is required")?;
    let folder = args.set.out.as_deref().context("--out is required")?;
    let answers = ContestAnswers::from_json(&cifake::file::read_limited(file, MAX_BYTES)?)
        .with_context(|| format!("cannot use {}", file.display()))?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut explaining = args.set.open(folder, &name)?;
    let ((width, height), n_before) = (explaining.detector.input_size(), explaining.set.len());
    let (mut n_failed, bar) = (0, progress_bar()?);
    bar.set_length(answers.explanations.len() as u64);
    for (index, mut found) in bar.wrap_iter(answers.explanations.into_iter()) {
        shorten(&mut found);
        if found.findings.is_empty() {
            continue;
        }
        let (name, detector) = (format!("{index}.png"), &explaining.detector);
        let picture = match detector.decoder().read_fitted(&images.join(&name), width, height) {
            Ok(fitted) => fitted.picture,
            Err(error) => {
                n_failed += 1;
                bar.suspend(|| eprintln!("{}", one_line(&error_chain(&error))));
                continue;
            }
        };
        if explaining.set.holds(&picture) {
            continue;
        }
        let p_fake = detector.detect(picture.clone())?.p_fake;
        let map = explaining.map(&picture, Label::Fake)?;
        let (picture, map, label) = (&picture, &map, Label::Fake);
        explaining.set.add(&name, &Subject { picture, map, label, p_fake, class: None }, &found)?;
    }
    bar.finish_and_clear();
    let (n, n_unlisted) = (explaining.set.len(), answers.unlisted.values().sum::<usize>());
    let (n_new, mut out) = (n - n_before, io::stdout().lock());
    if args.json {
        let summary = serde_json::json!({
            "folder": path_text(folder), "n": n, "n_new": n_new, "n_names": answers.n_names,
            "n_unlisted": n_unlisted, "n_failed": n_failed,
        });
        writeln!(out, "{summary}")?;
    } else {
        let names = counted(answers.n_names, "name");
        let (folder, n) = (folder.display(), counted(n, "picture"));
        writeln!(out, "{folder}: {n}, {n_new} of them new; {names}, {n_unlisted} not in the list")?;
    }
    Ok(n_failed)
}

/// An answer about the one picture of a folder.
fn smoke(args: &mut Args, folder: &Path) -> Result<()> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample/fake-cat-1.jpg");
    let picture = cifake_cli::args::decoder().read(&sample)?;
    cifake::file::write_atomic(&folder.join("17.png"), &picture.to_png())?;
    let answers = folder.join("team.json");
    let text =
        r#"[{"index": 17, "explanation": {"Artificial smoothness": "The fur has no grain."}}]"#;
    cifake::file::write_atomic(&answers, text.as_bytes())?;
    args.images = Some(folder.to_owned());
    args.answers = Some(answers);
    args.set.out = Some(folder.join("set"));
    Ok(())
}
