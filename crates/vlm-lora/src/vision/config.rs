//! Configuration of the vision towers.

use cifake_vit::{Activation, UnknownActivation};
use serde_json::Value;

use crate::error::Error;
use crate::image::PatchForm;
use crate::text::{Fields, wrong};

const MAX_WIDTH: usize = 1 << 16;
/// Base of the frequencies of Qwen2-VL's tower.
const THETA: f64 = 10_000.0;
const MAX_LAYERS: usize = 512;
const MAX_HEADS: usize = 1024;
/// The most values of a patch that a tower reads.
const MAX_PATCH_LEN: usize = 1 << 17;
/// Patches of a picture, at most: so400m has 729.
const MAX_PATCHES: usize = 4096;

/// Qwen2-VL's vision tower, `vision_config` of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Qwen2VlVisionConfig {
    /// Blocks.
    pub depth: usize,
    /// Channels of a patch inside the tower.
    pub embed_dim: usize,
    /// Channels of a token that comes out: the decoder's.
    pub hidden_size: usize,
    /// Activation of the blocks' MLPs.
    pub hidden_act: Activation,
    /// Channels inside an MLP.
    pub d_mlp: usize,
    /// Heads.
    pub num_heads: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Frames of a patch.
    pub temporal_patch_size: usize,
    /// Patches of a side of a block that becomes one token.
    pub spatial_merge_size: usize,
}

impl Qwen2VlVisionConfig {
    /// The tower of all published Qwen2-VL models, for a decoder of `hidden_size` channels.
    #[must_use]
    pub fn published(hidden_size: usize) -> Self {
        Self {
            depth: 32,
            embed_dim: 1280,
            hidden_size,
            hidden_act: Activation::QuickGelu,
            d_mlp: 4 * 1280,
            num_heads: 16,
            patch_size: 14,
            temporal_patch_size: 2,
            spatial_merge_size: 2,
        }
    }

    /// The tower that a `config.json` describes, for a decoder of `hidden_size` channels; what it
    /// leaves out is as published.
    ///
    /// # Errors
    /// [`Error::Config`] for sizes that no model has or that do not fit each other.
    pub fn from_hugging_face(config: &Value, hidden_size: usize) -> Result<Self, Error> {
        let empty = Value::Object(serde_json::Map::new());
        let vision = Fields::new(config).object("vision_config").unwrap_or(Fields::new(&empty));
        let published = Self::published(hidden_size);
        let embed_dim = vision.size("embed_dim", Some(published.embed_dim), 4..=MAX_WIDTH)?;
        // In older files a number for the tower's channels, with the output's under `hidden_size`.
        let out = vision.size("hidden_size", Some(hidden_size), 1..=MAX_WIDTH)?;
        if out != hidden_size {
            let expected = format!("{hidden_size}, the channels of the decoder");
            return Err(wrong("vision_config.hidden_size", out.to_string(), expected));
        }
        if let Some(rope) = vision.object("rope_parameters") {
            rope.number("rope_theta", Some(THETA), THETA..=THETA)?;
            rope.one_of("rope_type", &["axial", "default"])?;
        }
        let ratio = vision.number("mlp_ratio", Some(4.0), 0.01..=64.0)?;
        let channels = vision.size("in_channels", Some(3), 3..=3)?;
        vision.size("in_chans", Some(channels), 3..=3)?;
        let patch_size = vision.size("patch_size", Some(published.patch_size), 1..=64)?;
        let config = Self {
            depth: vision.size("depth", Some(published.depth), 0..=MAX_LAYERS)?,
            embed_dim,
            hidden_size,
            hidden_act: activation(vision, published.hidden_act)?,
            d_mlp: (embed_dim as f64 * ratio) as usize,
            num_heads: vision.size("num_heads", Some(published.num_heads), 1..=MAX_HEADS)?,
            patch_size,
            temporal_patch_size: vision.size("temporal_patch_size", Some(2), 1..=8)?,
            spatial_merge_size: vision.size("spatial_merge_size", Some(2), 1..=8)?,
        };
        if !embed_dim.is_multiple_of(4 * config.num_heads) {
            let expected = "heads of a multiple of 4 channels".to_owned();
            return Err(wrong("vision_config.num_heads", config.num_heads.to_string(), expected));
        }
        if config.d_mlp == 0 || config.d_mlp > MAX_WIDTH {
            let expected = format!("1 to {MAX_WIDTH} channels inside an MLP");
            return Err(wrong("vision_config.mlp_ratio", ratio.to_string(), expected));
        }
        Ok(config)
    }

    /// The form of its patches.
    #[must_use]
    pub fn form(&self) -> PatchForm {
        PatchForm {
            patch_size: self.patch_size,
            temporal_patch_size: self.temporal_patch_size,
            merge_size: self.spatial_merge_size,
        }
    }
}

/// SigLIP's vision tower, `vision_config` of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct SiglipVisionConfig {
    /// Channels of a patch.
    pub hidden_size: usize,
    /// Channels inside an MLP.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads.
    pub num_attention_heads: usize,
    /// Side of a picture in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels; what is left over at the right and at the bottom is not seen.
    pub patch_size: usize,
    /// Activation of the MLPs.
    pub hidden_act: Activation,
    /// Added to the variance in a norm.
    pub layer_norm_eps: f64,
}

impl SiglipVisionConfig {
    /// `google/siglip-so400m-patch14-384`: 729 patches of 1152 channels.
    #[must_use]
    pub fn so400m_patch14_384() -> Self {
        Self {
            hidden_size: 1152,
            intermediate_size: 4304,
            num_hidden_layers: 27,
            num_attention_heads: 16,
            image_size: 384,
            patch_size: 14,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
        }
    }

    /// `google/siglip-so400m-patch14-224`, the tower of PaliGemma at 224 pixels: 256 patches.
    #[must_use]
    pub fn so400m_patch14_224() -> Self {
        Self { image_size: 224, ..Self::so400m_patch14_384() }
    }

    /// The tower that a `config.json` describes; what it leaves out is transformers' default, which
    /// is SigLIP base at 224.
    ///
    /// # Errors
    /// [`Error::Config`] for sizes that no model has or that do not fit each other.
    pub fn from_hugging_face(config: &Value) -> Result<Self, Error> {
        let top = Fields::new(config);
        let vision = top.object("vision_config").unwrap_or(top);
        let image_size = vision.size("image_size", Some(224), 1..=4096)?;
        vision.size("num_channels", Some(3), 3..=3)?;
        let config = Self {
            hidden_size: vision.size("hidden_size", Some(768), 1..=MAX_WIDTH)?,
            intermediate_size: vision.size("intermediate_size", Some(3072), 1..=MAX_WIDTH)?,
            num_hidden_layers: vision.size("num_hidden_layers", Some(12), 0..=MAX_LAYERS)?,
            num_attention_heads: vision.size("num_attention_heads", Some(12), 1..=MAX_HEADS)?,
            image_size,
            patch_size: vision.size("patch_size", Some(16), 1..=image_size)?,
            hidden_act: activation(vision, Activation::GeluTanh)?,
            layer_norm_eps: vision.number("layer_norm_eps", Some(1e-6), 1e-12..=1e-2)?,
        };
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            let expected = format!("a divisor of {} channels", config.hidden_size);
            let found = config.num_attention_heads.to_string();
            return Err(wrong("vision_config.num_attention_heads", found, expected));
        }
        if config.patch_len() > MAX_PATCH_LEN {
            let expected = format!("patches of at most {MAX_PATCH_LEN} values");
            return Err(wrong("vision_config.patch_size", config.patch_size.to_string(), expected));
        }
        if config.n_patches() > MAX_PATCHES {
            let expected = format!("at most {MAX_PATCHES} patches of a picture");
            return Err(wrong("vision_config.patch_size", config.patch_size.to_string(), expected));
        }
        Ok(config)
    }

    /// Patches of a picture.
    #[must_use]
    pub fn n_patches(&self) -> usize {
        (self.image_size / self.patch_size).pow(2)
    }

    /// Values of a patch.
    #[must_use]
    pub fn patch_len(&self) -> usize {
        3 * self.patch_size * self.patch_size
    }
}

fn activation(vision: Fields<'_>, default: Activation) -> Result<Activation, Error> {
    let Some(value) = vision.get("hidden_act") else { return Ok(default) };
    value.as_str().unwrap_or("no name").parse().map_err(|UnknownActivation(name)| {
        let known = "gelu, gelu_pytorch_tanh, gelu_new or quick_gelu".to_owned();
        wrong("hidden_act", name, known)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn published_configurations_are_the_presets() {
        // Qwen2-VL-2B-Instruct.
        let qwen = json!({"vision_config": {
            "depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "in_chans": 3,
            "hidden_size": 1536, "patch_size": 14, "spatial_merge_size": 2,
            "spatial_patch_size": 14, "temporal_patch_size": 2
        }});
        let read = Qwen2VlVisionConfig::from_hugging_face(&qwen, 1536).expect("published");
        assert_eq!(read, Qwen2VlVisionConfig::published(1536));
        // MC-LLaVA-3b.
        let siglip = json!({"vision_config": {
            "hidden_size": 1152, "image_size": 384, "intermediate_size": 4304,
            "model_type": "siglip_vision_model", "num_attention_heads": 16,
            "num_hidden_layers": 27, "patch_size": 14
        }});
        let read = SiglipVisionConfig::from_hugging_face(&siglip).expect("published");
        assert_eq!(read, SiglipVisionConfig::so400m_patch14_384());
        assert_eq!(read.n_patches(), 729);
    }

    #[test]
    fn impossible_configurations_are_refused() {
        for (field, value) in [
            ("depth", json!(-1)),
            ("embed_dim", json!(1u64 << 40)),
            ("num_heads", json!(7)),
            ("num_heads", json!(0)),
            ("hidden_size", json!(99)),
            ("mlp_ratio", json!(1e300)),
            ("hidden_act", json!("relu")),
            ("hidden_act", json!(3)),
            ("in_chans", json!(4)),
            ("rope_parameters", json!({"rope_theta": 5000.0})),
            ("patch_size", json!(0)),
        ] {
            let config = json!({"vision_config": {field: value}});
            let error = Qwen2VlVisionConfig::from_hugging_face(&config, 1536);
            assert!(matches!(error, Err(Error::Config { .. })), "{config}");
        }
        for (field, value) in [
            ("image_size", json!(0)),
            ("patch_size", json!(225)),
            ("patch_size", json!(3)),
            ("num_attention_heads", json!(5)),
            ("hidden_size", json!(1u64 << 40)),
            ("layer_norm_eps", json!(-1.0)),
        ] {
            let config = json!({"vision_config": {field: value}});
            let error = SiglipVisionConfig::from_hugging_face(&config);
            assert!(matches!(error, Err(Error::Config { .. })), "{config}");
        }
    }
}
