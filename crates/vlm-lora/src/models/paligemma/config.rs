//! Configuration of PaliGemma.

use serde_json::Value;

use crate::error::Error;
use crate::models::prompt::expanded;
use crate::text::{Fields, TextConfig, wrong};
use crate::vision::SiglipVisionConfig;

/// `<image>`, as messages call it.
const PLACEHOLDER: &str = "<image>";
/// Tokens of the published vocabularies, those of places and of `<image>` included.
const N_TOKENS: usize = 257_216;
/// `<image>` in the published vocabularies.
const IMAGE_TOKEN: u32 = 257_152;
const MAX_WIDTH: usize = 1 << 18;

/// PaliGemma: decoder, tower and the token that stands for a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct PaliGemmaConfig {
    /// The decoder: Gemma of PaliGemma 1, Gemma 2 of PaliGemma 2.
    pub text: TextConfig,
    /// The tower.
    pub vision: SiglipVisionConfig,
    /// `<image>`: one a token of a picture.
    pub image_token: u32,
}

impl PaliGemmaConfig {
    /// PaliGemma 3B at 224 pixels.
    #[must_use]
    pub fn paligemma_3b() -> Self {
        Self::published(TextConfig::gemma_2b())
    }

    /// PaliGemma 2 3B at 224 pixels.
    #[must_use]
    pub fn paligemma2_3b() -> Self {
        Self::published(TextConfig::gemma2_2b())
    }

    fn published(text: TextConfig) -> Self {
        let text = TextConfig { vocab_size: N_TOKENS, ..text };
        Self { text, vision: SiglipVisionConfig::so400m_patch14_224(), image_token: IMAGE_TOKEN }
    }

    /// The model that a `config.json` of `model_type` `paligemma` describes. PaliGemma 2 is told from
    /// PaliGemma 1 by the `model_type` of its `text_config`.
    ///
    /// # Errors
    /// [`Error::Config`] for sizes that no model has or that do not fit each other, and for a decoder other
    /// than Gemma 1 or 2.
    pub fn from_hugging_face(config: &Value) -> Result<Self, Error> {
        let fields = Fields::new(config);
        let text = fields.object("text_config").and_then(|text| text.get("model_type"));
        let known = ["gemma", "gemma2"];
        if !text.and_then(Value::as_str).is_some_and(|name| known.contains(&name)) {
            let found = text.map_or_else(|| "absent".to_owned(), Value::to_string);
            return Err(wrong("text_config.model_type", found, format!("one of {known:?}")));
        }
        let text = TextConfig::from_hugging_face(config)?;
        let vision = SiglipVisionConfig::from_hugging_face(config)?;
        let projected = fields.size("projection_dim", Some(2048), 1..=MAX_WIDTH)?;
        if projected != text.d_model {
            let expected = format!("{}, the channels of the decoder", text.d_model);
            return Err(wrong("projection_dim", projected.to_string(), expected));
        }
        // The class has one name for the field, and the other as an alias.
        let last = text.vocab_size - 1;
        let image_token = fields.size("image_token_id", Some(256_000.min(last)), 0..=last)?;
        let image_token = fields.size("image_token_index", Some(image_token), 0..=last)?;
        // A vocabulary has at most 2^22 tokens.
        Ok(Self { text, vision, image_token: image_token as u32 })
    }

    /// Tokens that a picture becomes: the patches of the tower.
    #[must_use]
    pub fn n_image_tokens(&self) -> usize {
        self.vision.n_patches()
    }

    /// `tokens` with each `<image>` repeated as often as a picture has tokens.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] unless there are `n_pictures` of them.
    pub fn expanded(&self, tokens: &[u32], n_pictures: usize) -> Result<Vec<u32>, Error> {
        expanded(tokens, self.image_token, [n_pictures, self.n_image_tokens()], PLACEHOLDER)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The `config.json` of `google/paligemma-3b-pt-224`.
    fn one() -> Value {
        json!({
            "architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2, "eos_token_id": 1,
            "hidden_size": 2048, "ignore_index": -100, "image_token_index": 257152,
            "model_type": "paligemma", "pad_token_id": 0, "projection_dim": 2048,
            "text_config": {
                "hidden_size": 2048, "intermediate_size": 16384, "model_type": "gemma",
                "num_attention_heads": 8, "num_hidden_layers": 18, "num_image_tokens": 256,
                "num_key_value_heads": 1, "torch_dtype": "float32", "vocab_size": 257216
            },
            "torch_dtype": "float32",
            "vision_config": {
                "hidden_size": 1152, "intermediate_size": 4304, "model_type": "siglip_vision_model",
                "num_attention_heads": 16, "num_hidden_layers": 27, "num_image_tokens": 256,
                "patch_size": 14, "projection_dim": 2048, "projector_hidden_act": "gelu_fast",
                "vision_use_head": false
            }
        })
    }

    #[test]
    fn published_files_are_the_presets() {
        let read = PaliGemmaConfig::from_hugging_face(&one()).expect("it is as published");
        assert_eq!(read, PaliGemmaConfig::paligemma_3b());
        let mut two = one();
        two["projection_dim"] = json!(2304);
        two["text_config"] = json!({
            "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "head_dim": 256,
            "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "intermediate_size": 9216,
            "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8,
            "num_hidden_layers": 26, "num_key_value_heads": 4, "query_pre_attn_scalar": 256,
            "sliding_window": 4096, "use_bidirectional_attention": true, "vocab_size": 257216
        });
        let read = PaliGemmaConfig::from_hugging_face(&two).expect("it is as published");
        assert_eq!(read, PaliGemmaConfig::paligemma2_3b());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_name() {
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut config = one();
            change(&mut config);
            match PaliGemmaConfig::from_hugging_face(&config) {
                Err(Error::Config { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        let text = |name: &'static str, value: Value| {
            refused(&move |config| config["text_config"][name] = value.clone())
        };
        assert_eq!(text("model_type", json!("llama")), "text_config.model_type");
        assert_eq!(text("model_type", Value::Null), "text_config.model_type");
        assert_eq!(text("hidden_size", json!(2304)), "projection_dim");
        assert_eq!(text("vocab_size", json!(257_152)), "image_token_index");
        assert_eq!(text("hidden_act", json!("relu")), "hidden_act");
        assert_eq!(refused(&|config| config["text_config"] = json!(3)), "text_config.model_type");
    }

    #[test]
    fn a_picture_is_256_tokens_and_both_counts_are_named() {
        let config = PaliGemmaConfig::paligemma_3b();
        let expanded = config.expanded(&[IMAGE_TOKEN, 2, 7, 108], 1).expect("one place");
        assert_eq!((expanded.len(), expanded[255], expanded[256]), (259, IMAGE_TOKEN, 2));
        let refused = config.expanded(&[IMAGE_TOKEN, IMAGE_TOKEN, 2], 1);
        assert!(
            matches!(refused, Err(Error::PicturePlaces { places: 2, found: 1, .. })),
            "{refused:?}"
        );
    }
}
