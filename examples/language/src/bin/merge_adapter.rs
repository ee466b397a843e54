//! Merges a LoRA adapter into the weights of a model folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use cifake::text::{counted, path_line, path_text};
use cifake_cli::Opening;
use cifake_cli::args::threads;
use clap::Parser;
use language::exit_code;
use vlm_lora::lora::{Adapter, AdapterLimits, export_merged};

/// Merges an adapter into a model and writes the result as a new folder. Files, names, precision, tokenizer
/// and configuration are those of the base model. Only one weight at a time is in memory.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  merge_adapter --model Qwen2-VL-2B-Instruct --adapter runs/finetune/adapter --out merged
  merge_adapter --model DIR --adapter DIR --out DIR --json

Exit code: 0 if merged, 2 for an error, after which nothing is written."
)]
struct Args {
    /// Folder of the model as Hugging Face publishes it.
    #[arg(long, required_unless_present = "smoke")]
    model: Option<PathBuf>,
    /// Folder with adapter_config.json and adapter_model.safetensors.
    #[arg(long, required_unless_present = "smoke")]
    adapter: Option<PathBuf>,
    /// Output folder. It must be empty or not exist.
    #[arg(long, required_unless_present = "smoke")]
    out: Option<PathBuf>,
    /// Threads to compute in; 0 takes all cores. The files do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    threads: usize,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Merge a tiny adapter into a tiny model, in a temporary folder.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()).map(|()| 0))
}

fn run(mut args: Args) -> anyhow::Result<()> {
    let opening = Opening::new(args.out.take(), args.smoke, args.threads)?;
    if args.smoke {
        let fixtures = "../../crates/vlm-lora/tests/fixtures/lora_qwen2";
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(fixtures);
        args.adapter = Some(model.join("adapter"));
        args.model = Some(model);
    }
    let model = args.model.as_deref().context("--model is required")?;
    let adapter = args.adapter.as_deref().context("--adapter is required")?;
    let out = opening.out();
    let device = cifake::device::parse(&args.device)?;
    let adapter = Adapter::open(adapter, &AdapterLimits::default())?;
    let exported = opening.install(|| export_merged(model, &adapter, out, &device))?;
    let said = match args.json {
        true => serde_json::json!({
            "out": path_text(out), "files": exported.n_files, "bytes": exported.bytes,
            "changed_weights": exported.n_changed,
        })
        .to_string(),
        false => format!(
            "{}: {} changed, {} of {:.1} MB",
            path_line(out),
            counted(exported.n_changed, "weight"),
            counted(exported.n_files, "file"),
            exported.bytes as f64 / 1e6
        ),
    };
    Ok(writeln!(io::stdout(), "{said}")?)
}
