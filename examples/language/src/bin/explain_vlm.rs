//! Explains a verdict in words: a detector's map, measurements and language models.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use cifake::error_chain;
use cifake::text::{one_line, path_text};
use cifake_cli::Spared;
use cifake_cli::args::{builder, open};
use clap::Parser;
use explain::{Analysis, Class, Combined, EvidenceExplainer, Failure, html_page};
use language::{VlmArgs, class_named, exit_code, tell_failures, tiny};

#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(1 << 28);

/// Prints the verdict on pictures and a list of named artifacts from measurements and vision-language
/// models. Each model gets the picture and the detector's heat map. Its answer is restricted to listed
/// names, each with a remark.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  explain_vlm --model Qwen2-VL-2B-Instruct --enlarge upscale:224 photo.png
  explain_vlm --model MC-LLaVA-3b --enlarge canvas:700 --max-crops 8 --model Qwen2-VL-7B-Instruct \\
    --enlarge upscale:224 --adapter none --adapter runs/finetune/adapter --storage int8 \\
    --html report.html photo.png

Enlarge 32x32 pictures: otherwise Qwen2-VL gets 4 tokens and MC-LLaVA no crops.

Exit code: 0 if every model explained every picture, 1 if some did not, 2 for an error."
)]
struct Args {
    /// Pictures.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    vlm: VlmArgs,
    /// Leave the measurements out.
    #[arg(long)]
    no_evidence: bool,
    /// Detector: native, adversarial (trained against attacks), resnet18_32, or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "native")]
    weights: PathBuf,
    /// Class of the picture, one of CIFAR-10's. Only artifacts of this class are named.
    #[arg(long, value_parser = class_named)]
    class: Option<Class>,
    /// Write one self-contained page about all pictures into this file.
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Print one JSON object a line instead of text.
    #[arg(long)]
    json: bool,
    /// Let a tiny random model explain a committed sample.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()))
}

/// Returns how many pictures could not be explained.
fn run(mut args: Args) -> Result<usize> {
    let folder = tempfile::tempdir()?;
    if args.smoke {
        let model = folder.path().join("tiny");
        std::fs::create_dir(&model)?;
        tiny::write_vision_model(&model)?;
        args.vlm.models = vec![model];
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
        args.paths = vec![samples.join("fake-cat-1.jpg")];
    }
    Spared::of(&args.paths).files([&args.html])?;
    let device = cifake::device::parse(&args.device)?;
    let mut explainers = args.vlm.explainers(None, &device)?;
    if !args.no_evidence {
        explainers.insert(0, Box::new(EvidenceExplainer::embedded()));
    }
    let explainer = Combined::new(explainers);
    let detector = open(builder().device(&device), &args.weights)?;
    let analysis = Analysis::of(&detector).with_explainer(&explainer).with_class(args.class);
    let (mut outcomes, mut n_failed, mut out) = (Vec::new(), 0, io::stdout().lock());
    for path in &args.paths {
        let name = path_text(path);
        let picture = detector.decoder().read(path).map_err(anyhow::Error::from);
        let report = picture.and_then(|picture| Ok(analysis.report(&name, &picture)?));
        let n_silent = tell_failures(path, &explainer);
        match &report {
            Ok(report) => {
                writeln!(out, "{}", if args.json { report.json() } else { report.to_string() })?;
                n_failed += n_silent;
            }
            Err(error) => {
                n_failed += n_silent.max(1);
                eprintln!("{}", one_line(&format!("{name}: {}", error_chain(error.as_ref()))));
            }
        }
        outcomes.push(
            report.map_err(|error| Failure { path: name, error: error_chain(error.as_ref()) }),
        );
    }
    if let Some(file) = &args.html {
        let page = html_page(&outcomes).into_bytes();
        cifake::file::write_atomic(file, &page).context("the page is not written")?;
    }
    Ok(n_failed)
}
