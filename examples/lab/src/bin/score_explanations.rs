//! Compares explanations of the same pictures by several explainers.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use cifake::text::counted;
use cifake_cli::args::{CamArgs, ExplainerArgs, METHOD, builder, method_named, open};
use cifake_cli::exit_code;
use cifake_eval::metrics::Bootstrap;
use clap::Parser;
use explain::{ContestAnswers, Explanation};
use gradcam::Method;
use lab::explainers::{Looked, agreements, look, positions};

/// Longest file of answers that is read.
const MAX_BYTES: u64 = 64 << 20;

/// Explains the pictures that the detector calls FAKE, and compares the named artifacts of every two
/// explainers.
///
/// Prints the IoU of their sets on the pictures that both explain, beside another picture's names and
/// shuffled names. Then prints how often the places of each explainer are those of the detector's map.
/// All with 95 % bootstrap intervals.
#[derive(Parser)]
#[command(
    version,
    after_help = "The pictures are named by their index, such as 17.png; the answers have the form
  [{\"index\": 17, \"explanation\": {\"Artifact name\": \"text\"}}, ...]

Example:
  score_explanations --images contest/images contest/explanations/*.json"
)]
struct Args {
    /// Answers of other explainers.
    answers: Vec<PathBuf>,
    /// Folder of the pictures.
    #[arg(long, required_unless_present = "smoke")]
    images: Option<PathBuf>,
    #[command(flatten)]
    explainer: ExplainerArgs,
    /// Method of the maps.
    #[arg(long, default_value = METHOD, value_parser = method_named)]
    method: Method,
    #[command(flatten)]
    cam: CamArgs,
    /// native, adversarial, static-robust, resnet18_32, or a weight file.
    #[arg(long, alias = "model", value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
    /// Seed of the controls and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Compare the explanations of the sample pictures with themselves.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(&cifake_cli::parsed()))
}

fn run(args: &Args) -> Result<usize> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
    let images = args.images.as_deref().unwrap_or(&samples);
    let (detector, explainer) = (open(builder(), &args.weights)?, args.explainer.explainer()?);
    let Looked { explanations, maps, blank, n } =
        look(&detector, &args.cam.cam(args.method), &*explainer, images)?;
    let mut explainers = vec![(explainer.name().to_owned(), explanations)];
    let mut read = Vec::new();
    for file in &args.answers {
        let bytes = cifake::file::read_limited(file, MAX_BYTES)?;
        let answers = ContestAnswers::from_json(&bytes);
        let answers = answers.with_context(|| format!("cannot use {}", file.display()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let n_unlisted: usize = answers.unlisted.values().sum();
        read.push((name.clone(), answers.explanations.len(), answers.n_names, n_unlisted));
        explainers.push((name, named(answers.explanations)));
    }
    if args.smoke {
        explainers.push(("the same".to_owned(), explainers[0].1.clone()));
    }
    let bootstrap = Bootstrap::new(args.seed);
    let (pairs, places) =
        (agreements(&explainers, &bootstrap)?, positions(&explainers, &maps, &bootstrap)?);
    let mut out = io::stdout().lock();
    if args.json {
        let report = serde_json::json!({
            "n": n, "model": detector.model_name(), "n_explained": explainers[0].1.len(),
            "n_named_of_blank_pictures": blank, "read": read, "pairs": pairs, "positions": places,
        });
        writeln!(out, "{report:#}")?;
        return Ok(0);
    }
    writeln!(
        out,
        "{}, {} with named artifacts; blank ones: {blank}",
        counted(n, "picture"),
        explainers[0].1.len()
    )?;
    for (name, n, n_names, n_unlisted) in read {
        writeln!(
            out,
            "{name}: {}, {}, {n_unlisted} of them not in the list",
            counted(n, "picture"),
            counted(n_names, "name")
        )?;
    }
    for (a, b, found) in pairs {
        writeln!(out, "\n{a} and {b}, IoU\n  another picture's: {}", found.wrong_picture)?;
        writeln!(out, "  names shuffled:    {}", found.shuffled)?;
    }
    for (name, share) in places {
        writeln!(
            out,
            "\n{name}, share of stated places that are looked at, against another map\n  {share}"
        )?;
    }
    Ok(0)
}

/// The explanations that name anything.
fn named(explanations: BTreeMap<u64, Explanation>) -> BTreeMap<u64, Explanation> {
    explanations.into_iter().filter(|(_, explanation)| !explanation.findings.is_empty()).collect()
}
