//! `config.json` of transformers to our configuration.
//!
//! Fields and their defaults are those of transformers 5.24: `configuration_llama.py`,
//! `configuration_mistral.py`, `configuration_qwen2.py`, `configuration_qwen2_vl.py`,
//! `configuration_phi.py`, `configuration_gemma.py` and `configuration_gemma2.py`. Both the older form
//! (`rope_theta`, `rope_scaling`) and that of version 5 (`rope_parameters`) are read. The precedence is that
//! of `modeling_rope_utils.py`.
//!
//! Of the fields that transformers reads, those that change numbers are obeyed or refused by name.
//! The others concern the drawing of weights, training, and the labels of a classifier.
//! [`GenerationDefaults`](crate::generate::GenerationDefaults) reads the fields of a generation.

use serde_json::Value;

use super::config::TextConfig;
use super::fields::{Fields, wrong};
use super::hugging_face_gemma::{check_attention, gemma, gemma_2};
use super::hugging_face_rotary::{MAX_POSITIONS, rotary};
use super::hugging_face_window::check_windows;
use crate::error::Error;
use crate::nn::NormKind;

/// Architectures of text alone.
const TEXT_TYPES: [&str; 6] = ["llama", "mistral", "qwen2", "phi", "gemma", "gemma2"];
const MAX_VOCAB: usize = 1 << 22;
const MAX_WIDTH: usize = 1 << 18;
const MAX_LAYERS: usize = 1024;
const MAX_HEADS: usize = 4096;

impl TextConfig {
    /// The decoder that a `config.json` describes, of `model_type` `llama`, `mistral`, `qwen2`,
    /// `qwen2_vl`, `phi`, `gemma` or `gemma2`; of a vision-language model its text part.
    ///
    /// # Errors
    /// [`Error::Config`] where a field is absent, of a size no model has, or asks for what this decoder does
    /// not compute.
    pub fn from_hugging_face(config: &Value) -> Result<Self, Error> {
        let top = Fields::new(config);
        let is_text = |fields: Fields<'_>| {
            let name = fields.get("model_type").and_then(Value::as_str);
            name.is_some_and(|name| TEXT_TYPES.contains(&name))
        };
        // The configuration of a model of text has no such part, and transformers passes over it.
        let text = match is_text(top) {
            true => top,
            false => top.object("text_config").unwrap_or(top),
        };
        let model_type = text.get("model_type").or(top.get("model_type"));
        let model_type = model_type.and_then(Value::as_str).unwrap_or("absent");
        let mut config = sizes(text, model_type)?;
        match model_type {
            "llama" => {
                let bias = text.flag("attention_bias", false)?;
                (config.qkv_bias, config.output_bias) = (bias, bias);
                config.mlp_bias = text.flag("mlp_bias", false)?;
            }
            "mistral" => {}
            "qwen2" | "qwen2_vl" | "qwen2_vl_text" => config.qkv_bias = true,
            "phi" => {
                config = config.into_phi();
                if text.flag("qk_layernorm", false)? {
                    let expected =
                        "false, since norms of queries and keys are not built".to_owned();
                    return Err(wrong("qk_layernorm", "true".to_owned(), expected));
                }
            }
            "gemma" => config = gemma(text, config)?,
            "gemma2" => config = gemma_2(text, config)?,
            other => {
                let known = "llama, mistral, qwen2, qwen2_vl, phi, gemma or gemma2".to_owned();
                return Err(wrong("model_type", other.to_owned(), known));
            }
        }
        let epsilon = match config.norm {
            NormKind::Rms | NormKind::RmsFromOne => "rms_norm_eps",
            NormKind::Layer => "layer_norm_eps",
        };
        config.norm_epsilon = text.number(epsilon, Some(config.norm_epsilon), 1e-12..=1e-2)?;
        let (field, activations) = activations(model_type);
        text.one_of(field, activations)?;
        for fields in [top, text] {
            refuse_other_forms(fields)?;
        }
        if is_text(top) {
            check_attention(text, model_type)?;
        }
        check_windows(text, model_type, &config)?;
        // Files before version 5 have it in the text's part alone.
        let default = model_type.starts_with("gemma");
        config.tied =
            top.flag("tie_word_embeddings", default)? || text.flag("tie_word_embeddings", false)?;
        config.rotary = rotary(text, model_type, &config)?;
        if model_type.starts_with("qwen2_vl") && config.rotary.sections.is_none() {
            let expected = "three numbers, since positions have three axes".to_owned();
            return Err(wrong("rope_scaling.mrope_section", "absent".to_owned(), expected));
        }
        Ok(config)
    }
}

/// The field of the MLP's activation, and its values for what is built.
fn activations(model_type: &str) -> (&'static str, &'static [&'static str]) {
    match model_type {
        "phi" => ("hidden_act", &["gelu_new", "gelu_pytorch_tanh"]),
        // Upstream reads an old file's `gelu` as the approximation, too.
        "gemma" => ("hidden_act", &["gelu", "gelu_new", "gelu_pytorch_tanh"]),
        "gemma2" => ("hidden_activation", &["gelu_new", "gelu_pytorch_tanh"]),
        _ => ("hidden_act", &["silu"]),
    }
}

/// Refuses what would make another model of the same sizes.
fn refuse_other_forms(fields: Fields<'_>) -> Result<(), Error> {
    for name in ["per_layer_config", "quantization_config", "attention_chunk_size"] {
        if let Some(value) = fields.get(name) {
            return Err(wrong(name, value.to_string(), "none, since it is not built".to_owned()));
        }
    }
    if fields.flag("is_encoder_decoder", false)? {
        let expected = "false, since encoders are not built".to_owned();
        return Err(wrong("is_encoder_decoder", "true".to_owned(), expected));
    }
    Ok(())
}

fn sizes(text: Fields<'_>, model_type: &str) -> Result<TextConfig, Error> {
    let vocab_size = text.size("vocab_size", None, 1..=MAX_VOCAB)?;
    let d_model = text.size("hidden_size", None, 1..=MAX_WIDTH)?;
    let d_mlp = text.size("intermediate_size", None, 1..=MAX_WIDTH)?;
    let n_layers = text.size("num_hidden_layers", None, 0..=MAX_LAYERS)?;
    let n_heads = text.size("num_attention_heads", None, 1..=MAX_HEADS)?;
    // A null asks for as many as heads, an absent field for the class's own number.
    let default = match model_type {
        _ if text.holds("num_key_value_heads") => n_heads,
        "qwen2" => 32,
        "qwen2_vl" | "qwen2_vl_text" | "mistral" => 8,
        "gemma" => 16,
        "gemma2" => 4,
        _ => n_heads,
    };
    let n_kv_heads = text.size("num_key_value_heads", Some(default), 1..=MAX_HEADS)?;
    if n_kv_heads > n_heads || n_heads % n_kv_heads != 0 {
        let expected = format!("a divisor of the {n_heads} heads");
        return Err(wrong("num_key_value_heads", n_kv_heads.to_string(), expected));
    }
    let mut config =
        TextConfig::llama(vocab_size, [d_model, d_mlp], n_layers, [n_heads, n_kv_heads]);
    let is_gemma = model_type.starts_with("gemma");
    if text.get("head_dim").is_none() && d_model % n_heads != 0 && !is_gemma {
        let expected = format!("a multiple of the {n_heads} heads");
        return Err(wrong("hidden_size", d_model.to_string(), expected));
    }
    let default = if is_gemma { 256 } else { d_model / n_heads };
    config.d_head = text.size("head_dim", Some(default), 1..=MAX_WIDTH)?;
    if model_type.starts_with("qwen2_vl") && config.d_head * n_heads != d_model {
        let expected = format!("{}, as this architecture has it", d_model / n_heads);
        return Err(wrong("head_dim", config.d_head.to_string(), expected));
    }
    let positions = match model_type {
        "mistral" => 131_072,
        _ if is_gemma => 8192,
        _ if model_type.starts_with("qwen2") => 32_768,
        _ => 2048,
    };
    config.max_positions =
        text.size("max_position_embeddings", Some(positions), 1..=MAX_POSITIONS)?;
    if model_type.starts_with("qwen2_vl") {
        config.norm_epsilon = 1e-5;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::config::RotaryScaling;

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
            ("num_key_value_heads", json!(6)),
            ("sliding_window", json!(64)),
            ("layer_types", json!(["sliding_attention"])),
            ("layer_types", json!(["full_attention", "full_attention"])),
            ("per_layer_config", json!({"0": {"hidden_size": 8}})),
            ("quantization_config", json!({"quant_method": "gptq"})),
            ("rope_parameters", json!({"full_attention": {"rope_theta": 10.0}})),
            (
                "rope_scaling",
                json!({"type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}),
            ),
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

    /// A configuration of `model_type` with `more`.
    fn with(model_type: &str, more: Value) -> Value {
        let mut config = json!({
            "model_type": model_type, "hidden_size": 48, "intermediate_size": 16,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "vocab_size": 5
        });
        for (name, value) in more.as_object().expect("fields") {
            config[name.as_str()] = value.clone();
        }
        config
    }

    fn read(model_type: &str, more: Value) -> TextConfig {
        let config = with(model_type, more);
        TextConfig::from_hugging_face(&config).unwrap_or_else(|error| panic!("{config}: {error}"))
    }

    #[test]
    fn a_part_of_a_head_is_turned_in_phi_alone() {
        let part = || json!({"partial_rotary_factor": 0.5});
        for (model_type, d_rotary) in [("llama", 12), ("qwen2", 12), ("phi", 6)] {
            assert_eq!(read(model_type, part()).rotary.d_rotary, d_rotary, "{model_type}");
            let inside = read(model_type, json!({"rope_parameters": part()}));
            assert_eq!(inside.rotary.d_rotary, d_rotary, "{model_type}");
        }
    }

    #[test]
    fn windows_count_where_the_architecture_has_them() {
        let window = || json!({"sliding_window": 64, "max_window_layers": 1});
        assert!(TextConfig::from_hugging_face(&with("llama", window())).is_err());
        assert!(TextConfig::from_hugging_face(&with("phi", window())).is_err());
        read("qwen2", window());
        let on = |layers: usize| json!({"use_sliding_window": true, "sliding_window": 64, "max_window_layers": layers});
        assert!(TextConfig::from_hugging_face(&with("qwen2", on(1))).is_err());
        // The window begins behind the last layer, or is longer than any prompt.
        read("qwen2", on(2));
        read("llama", json!({"sliding_window": 4096}));
        read("qwen2", json!({"layer_types": ["full_attention", "full_attention"]}));
        // Mistral has one of 4096 tokens unless its file says otherwise.
        let long =
            |window: Value| json!({"max_position_embeddings": 8192, "sliding_window": window});
        read("mistral", long(Value::Null));
        assert!(TextConfig::from_hugging_face(&with("mistral", long(json!(64)))).is_err());
        let unsaid = json!({"max_position_embeddings": 8192});
        assert!(TextConfig::from_hugging_face(&with("mistral", unsaid)).is_err());
        let mut listed = long(json!(64));
        listed["layer_types"] = json!(["full_attention", "full_attention"]);
        assert!(TextConfig::from_hugging_face(&with("mistral", listed)).is_err());
    }

    #[test]
    fn what_a_file_leaves_out_is_the_classes_own() {
        let mut qwen2 = with("qwen2", json!({"num_attention_heads": 32, "hidden_size": 64}));
        qwen2.as_object_mut().expect("fields").remove("num_key_value_heads");
        let config = TextConfig::from_hugging_face(&qwen2).expect("32 heads");
        assert_eq!((config.n_kv_heads, config.max_positions), (32, 32_768));
        qwen2["num_attention_heads"] = json!(16);
        assert!(TextConfig::from_hugging_face(&qwen2).is_err());
        qwen2["num_key_value_heads"] = Value::Null;
        assert_eq!(TextConfig::from_hugging_face(&qwen2).expect("a null").n_kv_heads, 16);
        let sections = json!({"rope_scaling": {"type": "mrope", "mrope_section": [2, 2, 2]}});
        assert_eq!(read("qwen2_vl", sections).norm_epsilon, 1e-5);
        assert_eq!(read("llama", json!({})).norm_epsilon, 1e-6);
        let other = json!({"text_config": {"hidden_size": 8}});
        assert_eq!(read("llama", other).d_model, 48);
    }

    #[test]
    fn either_place_ties_the_head() {
        for (top, text) in [(false, false), (true, false), (false, true)] {
            let mut config = json!({
                "model_type": "qwen2_vl", "tie_word_embeddings": top,
                "text_config": with("qwen2_vl_text", json!({"tie_word_embeddings": text}))
            });
            config["text_config"]["rope_parameters"] = json!({"mrope_section": [2, 2, 2]});
            let read = TextConfig::from_hugging_face(&config).expect("it has sections");
            assert_eq!(read.tied, top || text);
        }
    }

    #[test]
    fn stretching_has_transformers_precedence() {
        let llama3 = |more: Value| {
            let mut rope = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0});
            for (name, value) in more.as_object().expect("fields") {
                rope[name.as_str()] = value.clone();
            }
            rope
        };
        let context = |config: &TextConfig| match config.rotary.scaling {
            RotaryScaling::Llama3 { old_context, .. } => old_context,
            _ => 0,
        };
        let name = "original_max_position_embeddings";
        let absent = read("llama", json!({"rope_scaling": llama3(json!({}))}));
        assert_eq!(context(&absent), 2048);
        let inside = json!({"rope_scaling": llama3(json!({name: 512}))});
        assert_eq!(context(&read("llama", inside.clone())), 512);
        let mut beside = inside;
        beside[name] = json!(256);
        assert_eq!(context(&read("llama", beside)), 256);
        let both = read(
            "llama",
            json!({
                "rope_scaling": {"type": "linear", "factor": 2.0},
                "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5.0},
                "rope_theta": 7.0
            }),
        );
        assert_eq!(both.rotary.scaling, RotaryScaling::Linear { factor: 2.0 });
        assert_eq!(both.rotary.theta, 7.0);
        let empty = read(
            "llama",
            json!({
                "rope_scaling": {}, "rope_parameters": {"rope_theta": 5.0}, "rope_theta": 7.0
            }),
        );
        assert_eq!(empty.rotary.theta, 5.0);
        let mrope = with("llama", json!({"rope_scaling": {"type": "mrope"}}));
        assert!(TextConfig::from_hugging_face(&mrope).is_err());
    }
}
