//! Grades explanations of vision-language models against a reference set.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cifake::Label;
use cifake::text::counted;
use cifake_cli::Spared;
use cifake_cli::args::{builder, open};
use cifake_eval::metrics::Bootstrap;
use clap::Parser;
use explain::{Combined, Explainer, ExplanationSet, Origin, Record};
use language::scoring::{Seen, check, explain_all, small_reference, trial};
use language::{VlmArgs, exit_code, tiny};

/// As in the other programs that compute much.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(1 << 28);

/// Lets vision-language models explain the pictures of a reference set and grades the answers against it:
/// artifacts, words, form, and places on the map. Two controls are graded as well: the answers to other
/// pictures of the set, and the answer to a blank picture. Answers that do not score above both controls do
/// not depend on the pictures. Intervals are 95 % bootstrap intervals.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:
  build_explanations --data ../shared/datasets/cifake --split test --limit 400 --named-only \\
    --question 'What gives this picture away?' --out reference
  score_vlm --reference reference --model SmolLM2-135M-Instruct.Q4_1.gguf --tower native \\
    --adapter runs/finetune/best --out said

The default question is that of the set. A second start with the same folders resumes the run. The answers
are a set like the reference.

Exit code: 0 if every picture was explained, 1 if some were not, 2 for an error."
)]
struct Args {
    /// Folder of a set that build_explanations wrote.
    #[arg(long, value_name = "DIR", required_unless_present = "smoke")]
    reference: Option<PathBuf>,
    /// Folder of the answers.
    #[arg(long, value_name = "DIR", default_value = "runs/said")]
    out: PathBuf,
    #[command(flatten)]
    vlm: VlmArgs,
    /// Detector of the reference's maps: native, adversarial, resnet18_32, or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
    /// Number of pictures, from the start of the set.
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: usize,
    /// Seed of the wrong pictures and of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Let a tiny random model explain committed samples.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()))
}

/// Returns how many pictures could not be explained.
fn run(mut args: Args) -> Result<usize> {
    let folder = tempfile::tempdir()?;
    if !args.smoke {
        Spared::default().folder(&args.out)?;
    }
    let device = cifake::device::parse(&args.device)?;
    let detector = open(builder().device(&device), &args.weights)?;
    if args.smoke {
        let model = folder.path().join("tiny");
        std::fs::create_dir(&model)?;
        tiny::write_vision_model(&model)?;
        args.vlm.models = vec![model];
        args.reference = Some(small_reference(folder.path(), &detector, &device)?);
        args.out = folder.path().join("said");
        args.limit = 2;
    }
    let reference = args.reference.as_deref().context("--reference is required")?;
    let (told, records) = ExplanationSet::read(reference)?;
    check(&told, &detector)?;
    let named =
        |record: &Record| record.label == Label::Fake && !record.explanation.findings.is_empty();
    let records: Vec<Record> = records.into_iter().filter(named).take(args.limit).collect();
    let read = |record: &Record| {
        Seen::read(&reference.join(&record.files()[0]), record.p_fake, &detector, &device)
    };
    let seen = records.iter().map(read).collect::<Result<Vec<_>>>()?;
    let question = &told.prompt;
    let explainer = Combined::new(args.vlm.explainers(Some(question), &device)?);
    let prompt = args.vlm.question().unwrap_or(question).to_owned();
    let models = args.vlm.identity()?;
    let origin = Origin { explainer: models.clone(), prompt, ..told.clone() };
    let mut answers = ExplanationSet::open(&args.out, origin)?;
    let n_failed = explain_all(&explainer, &records, &seen, &mut answers)?;
    let blank = explainer.explain(&Seen::blank(detector.input_size())?.subject())?;
    let bootstrap = Bootstrap::new(args.seed);
    let (n, trial) = trial(&records, &seen, &answers.records()?, &blank, &bootstrap)?;
    let of_blank: Vec<&str> = blank.findings.iter().map(|f| f.artifact.name()).collect();
    let mut out = io::stdout().lock();
    if args.json {
        let report = serde_json::json!({
            "reference": told, "models": models, "n": n,
            "n_failed": n_failed, "blank": of_blank, "trial": trial,
        });
        writeln!(out, "{report:#}")?;
    } else {
        writeln!(out, "{}\n\n{trial}", counted(n, "picture"))?;
        writeln!(out, "\nof the blank picture: {}", of_blank.join(", "))?;
    }
    Ok(n_failed)
}
