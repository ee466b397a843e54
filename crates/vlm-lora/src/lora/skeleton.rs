//! The layers of a model folder, by its configuration alone.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

use crate::error::{AdapterError, Error};
use crate::models::{LanguageModel, architecture, read_config};
use crate::source::Shapes;

/// A model without weights.
pub(super) struct Skeleton {
    pub(super) model: Box<dyn LanguageModel>,
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
    /// The skeleton of the model in `folder`.
    pub(super) fn of(folder: &Path) -> Result<Self, AdapterError> {
        let failed =
            |source: Error| AdapterError::Model { path: folder.to_owned(), source: source.into() };
        Self::read(folder).map_err(failed)
    }

    fn read(folder: &Path) -> Result<Self, Error> {
        let config = read_config(folder)?;
        let model = (architecture(&config).build)(&config, &mut Shapes::new(&Device::flex()))?;
        let (names, tied) = (model.decoder().names(), model.decoder().config().tied);
        let (head, embedding) = (names.head.clone(), format!("{}.embed_tokens", names.model));
        Ok(Self { model, head, embedding, tied, config })
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
