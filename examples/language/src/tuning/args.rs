//! The arguments of a fine-tuning run.

use std::path::PathBuf;

use vlm_lora::WeightFormat;

use crate::SightArgs;

/// What a fine-tuning run takes.
#[derive(Debug, clap::Args)]
pub struct TuneArgs {
    /// Folder of the model as Hugging Face publishes it, or a llama.cpp file.
    #[arg(long, required_unless_present = "smoke")]
    pub(super) model: Option<PathBuf>,
    /// JSONL or parquet file of conversations; may be given several times.
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
    /// Adapter to begin with instead of a new one; its configuration takes the place of the recipe's.
    #[arg(long)]
    pub(super) adapter: Option<PathBuf>,
    /// Share of the conversations, the last ones of each file, that are held out.
    #[arg(long, default_value_t = 0.0)]
    pub(super) held_out: f64,
    /// How the frozen weights are kept: f32, f16, bf16, int8 or int4 [default: f32, or as the llama.cpp
    /// file has them].
    #[arg(long)]
    pub(super) storage: Option<WeightFormat>,
    #[command(flatten)]
    pub(super) sight: SightArgs,
    /// Draw the loss over the steps here, and the held-out loss.
    #[arg(long, value_name = "FILE.png")]
    pub(super) curve: Option<PathBuf>,
    /// Epochs instead of the recipe's.
    #[arg(long)]
    pub(super) epochs: Option<usize>,
    /// Seed instead of the recipe's.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Prints what the run would need, and ends.
    #[arg(long)]
    pub(super) estimate: bool,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    pub(super) device: String,
    /// Threads; the adapter does not depend on it.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    pub(super) threads: usize,
    /// Batches of a step that are computed side by side, each in the memory of one: faster on several
    /// cores, the same adapter.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) workers: usize,
    /// Prints the result as JSON, without a bar.
    #[arg(long)]
    pub(super) json: bool,
    /// Trains a tiny model for a few steps into a temporary folder.
    #[arg(long)]
    pub(super) smoke: bool,
}
