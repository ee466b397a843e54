//! The layers of a model folder, by its configuration alone.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

use super::AdapterError;
use crate::models::{McLlava, McLlavaConfig, Qwen2Vl, Qwen2VlConfig};
use crate::{Decoder, DecoderNames, Error, Linears, Shapes, TextConfig};

/// Bytes of a configuration, at most.
const MAX_BYTES: u64 = 8 << 20;

/// A model without weights.
pub(super) struct Skeleton {
    pub(super) model: Box<dyn Linears>,
    /// Path of the head, as published.
    pub(super) head: String,
    /// Path of the embedding, as published.
    pub(super) embedding: String,
    /// Whether the configuration ties the two.
    pub(super) tied: bool,
    /// `config.json`.
    pub(super) config: Value,
}

impl Skeleton {
    /// Of the model in `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self, AdapterError> {
        let failed = |source| {
            let (path, source) = (folder.to_owned(), Box::new(source));
            AdapterError::Model { path, source }
        };
        Self::read(folder).map_err(failed)
    }

    fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("config.json");
        let bytes = cifake::file::read_limited(&path, MAX_BYTES)?;
        let config: Value =
            serde_json::from_slice(&bytes).map_err(|source| Error::Json { path, source })?;
        let mut shapes = Shapes::new(&Device::flex());
        let mut names = DecoderNames::default();
        let (model, tied): (Box<dyn Linears>, bool) = match config["model_type"].as_str() {
            Some("qwen2_vl") => {
                let read = Qwen2VlConfig::from_hugging_face(&config)?;
                (Box::new(Qwen2Vl::new(&mut shapes, &read)?), read.text.tied)
            }
            Some("mc-llava") => {
                names = McLlava::names();
                let read = McLlavaConfig::from_hugging_face(&config)?;
                (Box::new(McLlava::new(&mut shapes, &read)?), read.text.tied)
            }
            _ => {
                let read = TextConfig::from_hugging_face(&config)?;
                (Box::new(Decoder::new(&mut shapes, &read, &names)?), read.tied)
            }
        };
        let embedding = format!("{}.embed_tokens", names.model);
        Ok(Self { model, head: names.head, embedding, tied, config })
    }

    /// The configuration of the same model with a head of its own.
    pub(super) fn untied(&self) -> Value {
        let mut config = self.config.clone();
        if let Some(text) = config.get_mut("text_config").filter(|text| text.is_object()) {
            text["tie_word_embeddings"] = false.into();
        }
        config["tie_word_embeddings"] = false.into();
        config
    }
}
