//! Recipes by name.

use std::path::Path;

use anyhow::Context;
use vlm_lora::tune::TuningConfig;

/// The recipe called `name`, or that of a JSON file.
pub(super) fn recipe(name: &str) -> anyhow::Result<TuningConfig> {
    Ok(match name {
        "llama-factory" => TuningConfig::llama_factory(),
        "axolotl" => TuningConfig::axolotl(),
        "qwen2-vl-finetune" => TuningConfig::qwen2_vl_finetune(),
        path => {
            let json = cifake::file::read_limited(Path::new(path), 1 << 20)
                .context("--recipe is neither a preset nor a file")?;
            serde_json::from_slice(&json)
                .with_context(|| format!("{path} is not a valid recipe"))?
        }
    })
}
