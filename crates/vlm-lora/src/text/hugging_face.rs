//! `config.json` of transformers to our configuration.
//!
//! Fields and their defaults are those of transformers' `configuration_llama.py`,
//! `configuration_qwen2.py`, `configuration_qwen2_vl.py` and `configuration_phi.py`; both the older form
//! (`rope_theta`, `rope_scaling`) and that of version 5 (`rope_parameters`) are read.

use serde_json::Value;

use super::config::{RotaryConfig, RotaryScaling, TextConfig};
use super::fields::{Fields, wrong};
use crate::{Error, NormKind};

const MAX_VOCAB: usize = 1 << 22;
const MAX_WIDTH: usize = 1 << 18;
const MAX_LAYERS: usize = 1024;
const MAX_HEADS: usize = 4096;
const MAX_POSITIONS: usize = 1 << 28;

impl TextConfig {
    /// The decoder that a `config.json` describes, of `model_type` `llama`, `qwen2`, `qwen2_vl` or `phi`;
    /// of a vision-language model its text part.
    ///
    /// # Errors
    /// [`Error::Config`] where a field is absent, of a size no model has, or asks for what this decoder does
    /// not compute.
    pub fn from_hugging_face(config: &Value) -> Result<Self, Error> {
        let top = Fields::new(config);
        let text = top.object("text_config").unwrap_or(top);
        let model_type = text.get("model_type").or(top.get("model_type"));
        let model_type = model_type.and_then(Value::as_str).unwrap_or("absent");
        let mut config = sizes(text)?;
        match model_type {
            "llama" => {
                let bias = text.flag("attention_bias", false)?;
                (config.qkv_bias, config.output_bias) = (bias, bias);
                config.mlp_bias = text.flag("mlp_bias", false)?;
            }
            "qwen2" | "qwen2_vl" | "qwen2_vl_text" => config.qkv_bias = true,
            "phi" => {
                config = config.into_phi();
                if text.flag("qk_layernorm", false)? {
                    let expected =
                        "false, since norms of queries and keys are not built".to_owned();
                    return Err(wrong("qk_layernorm", "true".to_owned(), expected));
                }
            }
            other => {
                let known = "llama, qwen2, qwen2_vl or phi".to_owned();
                return Err(wrong("model_type", other.to_owned(), known));
            }
        }
        let epsilon = match config.norm {
            NormKind::Rms => "rms_norm_eps",
            NormKind::Layer => "layer_norm_eps",
        };
        config.norm_epsilon = text.number(epsilon, Some(config.norm_epsilon), 1e-12..=1e-2)?;
        let activations: &[&str] =
            if model_type == "phi" { &["gelu_new", "gelu_pytorch_tanh"] } else { &["silu"] };
        text.one_of("hidden_act", activations)?;
        if text.flag("use_sliding_window", false)? {
            let expected = "false, since sliding windows are not built".to_owned();
            return Err(wrong("use_sliding_window", "true".to_owned(), expected));
        }
        config.tied = match text.get("tie_word_embeddings") {
            Some(_) => text.flag("tie_word_embeddings", false)?,
            None => top.flag("tie_word_embeddings", false)?,
        };
        let theta = if model_type.starts_with("qwen2_vl") { 1e6 } else { 10_000.0 };
        let part = if model_type == "phi" { 0.5 } else { 1.0 };
        config.rotary = rotary(text, config.d_head, theta, part)?;
        if model_type.starts_with("qwen2_vl") && config.rotary.sections.is_none() {
            let expected = "three numbers, since positions have three axes".to_owned();
            return Err(wrong("rope_scaling.mrope_section", "absent".to_owned(), expected));
        }
        Ok(config)
    }
}

fn sizes(text: Fields<'_>) -> Result<TextConfig, Error> {
    let vocab_size = text.size("vocab_size", None, 1..=MAX_VOCAB)?;
    let d_model = text.size("hidden_size", None, 1..=MAX_WIDTH)?;
    let d_mlp = text.size("intermediate_size", None, 1..=MAX_WIDTH)?;
    let n_layers = text.size("num_hidden_layers", None, 0..=MAX_LAYERS)?;
    let n_heads = text.size("num_attention_heads", None, 1..=MAX_HEADS)?;
    let n_kv_heads = text.size("num_key_value_heads", Some(n_heads), 1..=n_heads)?;
    if n_heads % n_kv_heads != 0 {
        let expected = format!("a divisor of the {n_heads} heads");
        return Err(wrong("num_key_value_heads", n_kv_heads.to_string(), expected));
    }
    let mut config =
        TextConfig::llama(vocab_size, [d_model, d_mlp], n_layers, [n_heads, n_kv_heads]);
    if text.get("head_dim").is_none() && d_model % n_heads != 0 {
        let expected = format!("a multiple of the {n_heads} heads");
        return Err(wrong("hidden_size", d_model.to_string(), expected));
    }
    config.d_head = text.size("head_dim", Some(d_model / n_heads), 1..=MAX_WIDTH)?;
    let positions = Some(config.max_positions);
    config.max_positions = text.size("max_position_embeddings", positions, 1..=MAX_POSITIONS)?;
    Ok(config)
}

fn rotary(
    text: Fields<'_>,
    d_head: usize,
    default_theta: f64,
    default_part: f64,
) -> Result<RotaryConfig, Error> {
    let rope = text.object("rope_parameters").or(text.object("rope_scaling"));
    let rope = rope.unwrap_or(Fields::new(&Value::Null));
    let theta = text.number("rope_theta", Some(default_theta), 1.0..=1e12)?;
    let theta = rope.number("rope_theta", Some(theta), 1.0..=1e12)?;
    let part = text.number("partial_rotary_factor", Some(default_part), 0.01..=1.0)?;
    let part = rope.number("partial_rotary_factor", Some(part), 0.01..=1.0)?;
    let d_rotary = (d_head as f64 * part) as usize;
    if d_rotary == 0 || !d_rotary.is_multiple_of(2) {
        let expected = "an even number of turned channels".to_owned();
        return Err(wrong("partial_rotary_factor", part.to_string(), expected));
    }
    let sections = rope.get("mrope_section").map(|value| sections(value, d_rotary)).transpose()?;
    let kind = rope.get("rope_type").or(rope.get("type")).and_then(Value::as_str);
    let factor = || rope.number("factor", None, 1.0..=1e6);
    let scaling = match kind.unwrap_or("default") {
        "default" | "mrope" => RotaryScaling::None,
        "linear" => RotaryScaling::Linear { factor: factor()? },
        "llama3" => RotaryScaling::Llama3 {
            factor: factor()?,
            low_frequency_factor: rope.number("low_freq_factor", None, 1e-3..=1e6)?,
            high_frequency_factor: rope.number("high_freq_factor", None, 1e-3..=1e6)?,
            old_context: rope.size("original_max_position_embeddings", None, 1..=MAX_POSITIONS)?,
        },
        other => {
            let known = "default, mrope, linear or llama3".to_owned();
            return Err(wrong("rope_type", other.to_owned(), known));
        }
    };
    Ok(RotaryConfig { theta, d_rotary, sections, scaling })
}

fn sections(value: &Value, d_rotary: usize) -> Result<[usize; 3], Error> {
    let parts: Option<Vec<usize>> = value.as_array().map(|parts| {
        parts
            .iter()
            .filter_map(|part| part.as_u64().and_then(|n| usize::try_from(n).ok()))
            .collect()
    });
    let parts = parts.and_then(|parts| <[usize; 3]>::try_from(parts).ok());
    let sums = |parts: &[usize; 3]| {
        parts.iter().try_fold(0usize, |sum, &n| sum.checked_add(n)) == Some(d_rotary / 2)
    };
    parts.filter(sums).ok_or_else(|| {
        let expected = format!("three numbers whose sum is {}", d_rotary / 2);
        wrong("mrope_section", value.to_string(), expected)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn published_sizes_are_the_presets() {
        let two = json!({
            "model_type": "qwen2_vl", "hidden_size": 1536, "intermediate_size": 8960,
            "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
            "vocab_size": 151936, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
            "hidden_act": "silu", "use_sliding_window": false, "sliding_window": 32768,
            "max_position_embeddings": 32768, "tie_word_embeddings": true,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}
        });
        let read = TextConfig::from_hugging_face(&two).expect("it is as published");
        assert_eq!(read, TextConfig::qwen2_vl_2b());
        let phi = json!({
            "model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240,
            "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 51200,
            "layer_norm_eps": 1e-5, "partial_rotary_factor": 0.4, "hidden_act": "gelu_new"
        });
        let read = TextConfig::from_hugging_face(&phi).expect("it is as published");
        assert_eq!(read, TextConfig::phi_2());
    }

    #[test]
    fn impossible_configurations_are_refused() {
        let good = json!({
            "model_type": "llama", "hidden_size": 12, "intermediate_size": 16,
            "num_hidden_layers": 1, "num_attention_heads": 3, "vocab_size": 5
        });
        assert!(TextConfig::from_hugging_face(&good).is_ok());
        for (field, value) in [
            ("model_type", json!("mamba")),
            ("hidden_size", json!(13)),
            ("hidden_size", json!(1u64 << 60)),
            ("num_hidden_layers", json!(1_000_000)),
            ("num_attention_heads", json!(0)),
            ("num_key_value_heads", json!(2)),
            ("head_dim", json!(3)),
            ("hidden_act", json!("relu")),
            ("rope_scaling", json!({"type": "yarn"})),
            ("rope_scaling", json!({"type": "mrope", "mrope_section": [1, 2, 3]})),
            ("rms_norm_eps", json!("small")),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            let error = TextConfig::from_hugging_face(&bad);
            assert!(matches!(error, Err(Error::Config { .. })), "{bad}");
        }
    }
}
