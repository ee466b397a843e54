//! The arguments of a fine-tuning run.

use std::path::PathBuf;

use cifake_cli::args::threads;
use vlm_lora::WeightFormat;

use crate::SightArgs;

/// Arguments of a fine-tuning run.
#[derive(Debug, clap::Args)]
pub struct TuneArgs {
    /// Folder of the model as Hugging Face publishes it, or a llama.cpp file.
    #[arg(long, required_unless_present = "smoke")]
    pub(super) model: Option<PathBuf>,
    /// JSONL or parquet file of conversations. May be given several times.
    #[arg(long, value_name = "FILE", required_unless_present = "smoke")]
    pub(super) data: Vec<PathBuf>,
    /// Folder of the pictures [default: that of each file].
    #[arg(long, value_name = "DIR")]
    pub(super) images: Option<PathBuf>,
    /// Folder of the run.
    #[arg(long, default_value = "runs/finetune")]
    pub(super) out: PathBuf,
    /// llama-factory, axolotl, qwen2-vl-finetune, or a JSON file.
    #[arg(long, default_value = "llama-factory")]
    pub(super) recipe: String,
    /// Adapter to start from; its configuration replaces that of the recipe.
    #[arg(long)]
    pub(super) adapter: Option<PathBuf>,
    /// Held-out share of the conversations: the last ones of each file.
    #[arg(long, default_value_t = 0.0)]
    pub(super) held_out: f64,
    /// Format of the frozen weights: f32, f16, bf16, int8 or int4 [default: f32, or that of the llama.cpp
    /// file].
    #[arg(long)]
    pub(super) storage: Option<WeightFormat>,
    #[command(flatten)]
    pub(super) sight: SightArgs,
    /// Plot the training loss and the held-out loss into this file.
    #[arg(long, value_name = "FILE.png")]
    pub(super) curve: Option<PathBuf>,
    /// Epochs instead of the recipe's.
    #[arg(long)]
    pub(super) epochs: Option<usize>,
    /// Seed instead of the recipe's.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Print the estimated memory of the run and exit.
    #[arg(long)]
    pub(super) estimate: bool,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    pub(super) device: String,
    /// Threads. The adapter does not depend on their number.
    #[arg(long, value_parser = threads, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    pub(super) threads: usize,
    /// Batches of a step that are computed in parallel. Each takes the memory of one batch; the adapter does
    /// not change.
    #[arg(long, value_name = "N", value_parser = threads, default_value_t = 1)]
    pub(super) workers: usize,
    /// Print the result as JSON, without a progress bar.
    #[arg(long)]
    pub(super) json: bool,
    /// Train a tiny model for a few steps in a temporary folder.
    #[arg(long, hide = true)]
    pub(super) smoke: bool,
}
