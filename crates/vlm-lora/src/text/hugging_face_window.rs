//! The sliding windows of a `config.json`, where the architecture has none that is built.

use serde_json::Value;

use super::config::TextConfig;
use super::fields::{Fields, wrong};
use crate::error::Error;

/// Refuses layers that see the last tokens alone, but those of Gemma 2.
///
/// Qwen2 has them from `max_window_layers` on where `use_sliding_window` says so. Mistral has them in every
/// layer, 4096 tokens unless the file says another number or null. Llama and Phi know neither field;
/// transformers' cache keeps the last `sliding_window` tokens of them all the same.
pub(super) fn check_windows(
    text: Fields<'_>,
    model_type: &str,
    config: &TextConfig,
) -> Result<(), Error> {
    if model_type == "gemma2" {
        return Ok(());
    }
    let refuse = |name: &str, found: String| {
        Err(wrong(name, found, "no sliding window, since none is built".to_owned()))
    };
    // Mistral has the window in every layer, whatever this field lists.
    let kinds = text.get("layer_types").filter(|_| model_type != "mistral");
    if let Some(kinds) = kinds {
        let is_full = |kind: &Value| kind.as_str() == Some("full_attention");
        let all = kinds.as_array().filter(|kinds| kinds.len() == config.n_layers);
        return match all.is_some_and(|kinds| kinds.iter().all(is_full)) {
            true => Ok(()),
            false => refuse("layer_types", kinds.to_string()),
        };
    }
    let default = match model_type {
        "mistral" if !text.holds("sliding_window") => 4096,
        _ => usize::MAX,
    };
    let window = text.size("sliding_window", Some(default), 0..=usize::MAX)?;
    if model_type.starts_with("qwen2") {
        let default = if model_type == "qwen2" { 28 } else { 80 };
        let first = text.size("max_window_layers", Some(default), 0..=usize::MAX)?;
        let on = text.flag("use_sliding_window", false)? && first < config.n_layers;
        // Without a number in the file it is 4096.
        let window = if window == usize::MAX { 4096 } else { window };
        return match on && window < config.max_positions {
            true => refuse("use_sliding_window", "true".to_owned()),
            false => Ok(()),
        };
    }
    match window < config.max_positions {
        true => refuse("sliding_window", window.to_string()),
        false => Ok(()),
    }
}
