//! `config.json` of Gemma 1 and 2 to our configuration.
//!
//! `configuration_gemma.py` and `configuration_gemma2.py` of transformers 5.24.

use serde_json::Value;

use super::config::{BlockKind, SlidingWindow, TextConfig};
use super::fields::{Fields, wrong};
use crate::error::Error;

/// The largest bound of scores, and the largest number by which scores are scaled.
const MAX_SCALE: f64 = 1e6;

/// Gemma 1 of the sizes of `config`.
pub(super) fn gemma(text: Fields<'_>, config: TextConfig) -> Result<TextConfig, Error> {
    let mut config = config.into_gemma();
    let bias = text.flag("attention_bias", false)?;
    (config.qkv_bias, config.output_bias) = (bias, bias);
    Ok(config)
}

/// Gemma 2 of the sizes of `config`.
pub(super) fn gemma_2(text: Fields<'_>, config: TextConfig) -> Result<TextConfig, Error> {
    let mut config = gemma(text, config)?;
    config.block = BlockKind::Sandwich;
    let scalar = text.number("query_pre_attn_scalar", Some(256.0), 1e-3..=MAX_SCALE)?;
    config.query_pre_attn_scalar = Some(scalar);
    config.attention_softcap = softcap(text, "attn_logit_softcapping", 50.0)?;
    config.final_softcap = softcap(text, "final_logit_softcapping", 30.0)?;
    config.sliding_window = Some(sliding_window(text, config.n_layers)?);
    Ok(config)
}

/// Refuses a text model whose tokens all see each other. That of PaliGemma says so of its prompts.
pub(super) fn check_attention(text: Fields<'_>, model_type: &str) -> Result<(), Error> {
    let name = "use_bidirectional_attention";
    if model_type.starts_with("gemma") && text.flag(name, false)? {
        let expected = "false, since only prompts with pictures attend in both directions";
        return Err(wrong(name, "true".to_owned(), expected.to_owned()));
    }
    Ok(())
}

/// The bound `name`; a null is none, and an absent field the class's own number.
fn softcap(text: Fields<'_>, name: &str, default: f64) -> Result<Option<f64>, Error> {
    match text.holds(name) && text.get(name).is_none() {
        true => Ok(None),
        false => text.number(name, Some(default), 1e-3..=MAX_SCALE).map(Some),
    }
}

/// The window of the layers that `layer_types` lists, or else of every second one, the first included.
fn sliding_window(text: Fields<'_>, n_layers: usize) -> Result<SlidingWindow, Error> {
    let name = "sliding_window";
    if text.holds(name) && text.get(name).is_none() {
        let expected = "a number of tokens, without which this architecture is not defined";
        return Err(wrong(name, "null".to_owned(), expected.to_owned()));
    }
    let n_tokens = text.size(name, Some(4096), 1..=usize::MAX)?;
    let layers = match text.get("layer_types") {
        None => (0..n_layers).map(|index| index % 2 == 0).collect(),
        Some(kinds) => layers(kinds, n_layers)?,
    };
    Ok(SlidingWindow { n_tokens, layers })
}

fn layers(kinds: &Value, n_layers: usize) -> Result<Vec<bool>, Error> {
    let slides = |kind: &Value| match kind.as_str()? {
        "sliding_attention" => Some(true),
        "full_attention" => Some(false),
        _ => None,
    };
    let layers: Option<Vec<bool>> =
        kinds.as_array().and_then(|kinds| kinds.iter().map(slides).collect());
    layers.filter(|layers| layers.len() == n_layers).ok_or_else(|| {
        let expected = format!("sliding_attention or full_attention of {n_layers} layers");
        wrong("layer_types", kinds.to_string().chars().take(80).collect(), expected)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nn::NormKind;
    use crate::text::config::MlpKind;

    /// A configuration of `model_type` that leaves out what the class knows, with `more`.
    fn with(model_type: &str, more: Value) -> Value {
        let mut config = json!({
            "model_type": model_type, "hidden_size": 2304, "intermediate_size": 9216,
            "num_hidden_layers": 3, "num_attention_heads": 16, "vocab_size": 257_216
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

    /// The published `config.json` of Gemma 2B and of Gemma 2 2B.
    #[test]
    fn published_sizes_are_the_presets() {
        let one = json!({
            "model_type": "gemma", "head_dim": 256, "hidden_act": "gelu", "hidden_activation": null,
            "hidden_size": 2048, "intermediate_size": 16384, "max_position_embeddings": 8192,
            "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 1,
            "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 10000.0, "vocab_size": 256000
        });
        let read = TextConfig::from_hugging_face(&one).expect("it is as published");
        assert_eq!(read, TextConfig::gemma_2b());
        let two = json!({
            "model_type": "gemma2", "attn_logit_softcapping": 50.0, "cache_implementation": "hybrid",
            "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "intermediate_size": 9216,
            "max_position_embeddings": 8192, "num_attention_heads": 8, "num_hidden_layers": 26,
            "num_key_value_heads": 4, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
            "rope_theta": 10000.0, "sliding_window": 4096, "vocab_size": 256000
        });
        let read = TextConfig::from_hugging_face(&two).expect("it is as published");
        assert_eq!(read, TextConfig::gemma2_2b());
    }

    #[test]
    fn an_absent_field_is_the_classes_own_and_a_null_is_none() {
        let one = read("gemma", json!({}));
        assert_eq!((one.n_kv_heads, one.d_head, one.max_positions), (16, 256, 8192));
        assert_eq!((one.norm, one.mlp, one.tied), (NormKind::RmsFromOne, MlpKind::GeGlu, true));
        assert_eq!((one.block, one.embedding_scale), (BlockKind::Sequential, 48.0));
        assert_eq!((one.query_scale(), one.final_softcap, one.window(0)), (0.0625, None, None));
        let two = read("gemma2", json!({}));
        assert_eq!((two.n_kv_heads, two.block), (4, BlockKind::Sandwich));
        assert_eq!((two.attention_softcap, two.final_softcap), (Some(50.0), Some(30.0)));
        assert_eq!([0, 1, 2].map(|index| two.window(index)), [Some(4096), None, Some(4096)]);
        let none = json!({"attn_logit_softcapping": null, "final_logit_softcapping": null});
        let none = read("gemma2", none);
        assert_eq!((none.attention_softcap, none.final_softcap), (None, None));
        let other = read("gemma2", json!({"query_pre_attn_scalar": 64, "sliding_window": 7}));
        assert_eq!((other.query_scale(), other.window(2)), (0.125, Some(7)));
    }

    #[test]
    fn the_activation_is_the_tanh_approximation_by_any_name() {
        for name in ["gelu", "gelu_pytorch_tanh"] {
            read("gemma", json!({"hidden_act": name}));
        }
        // A field that this class does not read.
        read("gemma2", json!({"hidden_act": "silu"}));
    }

    #[test]
    fn what_is_not_built_is_refused_by_its_name() {
        for (model_type, field, value) in [
            ("gemma", "hidden_act", json!("silu")),
            ("gemma", "use_bidirectional_attention", json!(true)),
            ("gemma", "sliding_window", json!(64)),
            ("gemma2", "hidden_activation", json!("gelu")),
            ("gemma2", "use_bidirectional_attention", json!(true)),
            ("gemma2", "sliding_window", Value::Null),
            ("gemma2", "sliding_window", json!(0)),
            ("gemma2", "layer_types", json!(["full_attention"])),
            ("gemma2", "layer_types", json!(["full_attention", "full_attention", "chunked"])),
            ("gemma2", "query_pre_attn_scalar", json!(0)),
            ("gemma2", "attn_logit_softcapping", json!(-1.0)),
            ("gemma2", "final_logit_softcapping", json!("30")),
            ("gemma2", "head_dim", json!(3)),
        ] {
            let config = with(model_type, json!({field: value}));
            let refused = TextConfig::from_hugging_face(&config);
            let named = if field == "head_dim" { "partial_rotary_factor" } else { field };
            assert!(
                matches!(&refused, Err(Error::Config { field, .. }) if field == named),
                "{field}: {refused:?}"
            );
        }
    }
}
