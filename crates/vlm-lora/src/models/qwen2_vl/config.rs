//! Configuration of Qwen2-VL.

use serde_json::Value;

use crate::error::Error;
use crate::text::{Fields, TextConfig};
use crate::vision::Qwen2VlVisionConfig;

/// Qwen2-VL: decoder, tower and the tokens that stand for pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Qwen2VlConfig {
    /// The decoder.
    pub text: TextConfig,
    /// The tower.
    pub vision: Qwen2VlVisionConfig,
    /// `<|image_pad|>`: one a token of a picture.
    pub image_token: u32,
    /// `<|vision_start|>`.
    pub vision_start_token: u32,
    /// `<|vision_end|>`.
    pub vision_end_token: u32,
}

impl Qwen2VlConfig {
    /// Qwen2-VL-2B(-Instruct).
    #[must_use]
    pub fn qwen2_vl_2b() -> Self {
        Self::published(TextConfig::qwen2_vl_2b())
    }

    /// Qwen2-VL-7B(-Instruct).
    #[must_use]
    pub fn qwen2_vl_7b() -> Self {
        Self::published(TextConfig::qwen2_vl_7b())
    }

    fn published(text: TextConfig) -> Self {
        Self {
            vision: Qwen2VlVisionConfig::published(text.d_model),
            text,
            image_token: 151_655,
            vision_start_token: 151_652,
            vision_end_token: 151_653,
        }
    }

    /// The model that a `config.json` of `model_type` `qwen2_vl` describes, in the published form
    /// or in that of newer transformers, which keeps the decoder under `text_config`.
    ///
    /// # Errors
    /// [`Error::Config`] for sizes that no model has or that do not fit each other.
    pub fn from_hugging_face(config: &Value) -> Result<Self, Error> {
        let text = TextConfig::from_hugging_face(config)?;
        let vision = Qwen2VlVisionConfig::from_hugging_face(config, text.d_model)?;
        let fields = Fields::new(config);
        let token = |name: &str, published: u32| {
            let last = text.vocab_size - 1;
            let published = Some((published as usize).min(last));
            // A vocabulary has at most 2^22 tokens.
            fields.size(name, published, 0..=last).map(|token| token as u32)
        };
        Ok(Self {
            image_token: token("image_token_id", 151_655)?,
            vision_start_token: token("vision_start_token_id", 151_652)?,
            vision_end_token: token("vision_end_token_id", 151_653)?,
            text,
            vision,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Qwen2-VL-7B-Instruct's `config.json`, as published.
    fn published() -> Value {
        json!({
            "architectures": ["Qwen2VLForConditionalGeneration"], "attention_dropout": 0.0,
            "bos_token_id": 151643, "eos_token_id": 151645, "vision_start_token_id": 151652,
            "vision_end_token_id": 151653, "vision_token_id": 151654, "image_token_id": 151655,
            "video_token_id": 151656, "hidden_act": "silu", "hidden_size": 3584,
            "initializer_range": 0.02, "intermediate_size": 18944,
            "max_position_embeddings": 32768, "max_window_layers": 28, "model_type": "qwen2_vl",
            "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
            "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
            "tie_word_embeddings": false, "torch_dtype": "bfloat16", "use_cache": true,
            "use_sliding_window": false,
            "vision_config": {
                "depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "in_chans": 3,
                "hidden_size": 3584, "patch_size": 14, "spatial_merge_size": 2,
                "spatial_patch_size": 14, "temporal_patch_size": 2
            },
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
            "vocab_size": 152064
        })
    }

    #[test]
    fn the_published_file_is_the_preset() {
        let read = Qwen2VlConfig::from_hugging_face(&published()).expect("it is as published");
        assert_eq!(read, Qwen2VlConfig::qwen2_vl_7b());
    }

    #[test]
    fn newer_files_keep_the_decoder_apart() {
        let mut text = published();
        let newer = json!({
            "model_type": "qwen2_vl", "vision_config": text["vision_config"].take(),
            "image_token_id": 151655, "text_config": text
        });
        let read = Qwen2VlConfig::from_hugging_face(&newer).expect("it is as newer files are");
        assert_eq!(read, Qwen2VlConfig::qwen2_vl_7b());
    }

    #[test]
    fn positions_without_sections_are_refused() {
        let mut config = published();
        config["rope_scaling"] = json!({"type": "default"});
        let refused = Qwen2VlConfig::from_hugging_face(&config);
        assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
    }

    #[test]
    fn a_token_outside_the_vocabulary_is_refused() {
        let mut config = published();
        config["image_token_id"] = json!(152_064);
        let refused = Qwen2VlConfig::from_hugging_face(&config);
        assert!(matches!(refused, Err(Error::Config { .. })));
    }
}
