//! Fine-tunes a language model, with or without pictures, by LoRA.

use std::process::ExitCode;

use clap::Parser;
use language::exit_code;
use language::tuning::{TuneArgs, tune};

/// Activations of a batch are large; without it the system would hand out fresh pages each step.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(8 << 30);

/// Trains a LoRA adapter on conversations. The output folder gets adapter/ (in the format of PEFT), best/
/// (lowest held-out loss), metrics.jsonl and checkpoint.safetensors. A second start with the same folder
/// resumes the run and ends with the same bytes as an uninterrupted run.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  finetune_vlm --model Qwen2-VL-2B-Instruct --data train.jsonl --images pictures/ --recipe axolotl
  finetune_vlm --model SmolLM2-135M-Instruct --data chat.jsonl --out runs/chat --held-out 0.1
  finetune_vlm --model SmolLM2-135M-Instruct.Q4_1.gguf --tower native --data short/explanations.jsonl \\
    --held-out 0.05 --curve loss.png
  finetune_vlm --model DIR --data train.jsonl --recipe my.json --storage int8 --estimate

A line of the data is {\"image\": \"a.png\", \"conversations\": [{\"from\": \"human\", \"value\":
\"<image>\\nWhat?\"}, {\"from\": \"gpt\", \"value\": \"That.\"}]} or {\"messages\": [{\"role\": \"user\",
\"content\": ...}, ...], \"images\": [...]}. A file that ends in .parquet has these fields as columns, or
question and answer, and its pictures in image, images and map.

Exit code: 0 if trained to the end, 2 for an error."
)]
struct Args {
    #[command(flatten)]
    run: TuneArgs,
}

fn main() -> ExitCode {
    exit_code(tune(cifake_cli::parsed::<Args>().run))
}
