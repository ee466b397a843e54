//! A row of the table of architectures.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

use super::language_model::LanguageModel;
use crate::error::Error;
use crate::source::{Folder, WeightFormat, WeightSource};

/// Builds the model of a `config.json` with the weights of a source.
pub type Build = fn(&Value, &mut dyn WeightSource) -> Result<Box<dyn LanguageModel>, Error>;

/// An architecture: how its models are built from a configuration and from weights.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Architecture {
    /// Values of `model_type` in `config.json`.
    pub model_types: &'static [&'static str],
    /// Builds the model of a `config.json` with the weights of a source.
    pub build: Build,
    /// Prefixes of weight names in newer checkpoints, each with the published one.
    pub prefixes: &'static [(&'static str, &'static str)],
    /// Whether a weight of the checkpoint, by its published name, is not needed.
    pub is_unused: fn(&str) -> bool,
}

impl Architecture {
    /// The weights of the model in `folder`, under their published names.
    ///
    /// # Errors
    /// Those of [`Folder::open`].
    pub fn weights(
        &self,
        folder: &Path,
        format: WeightFormat,
        device: &Device,
    ) -> Result<Folder, Error> {
        let weights = Folder::open(folder, format, device)?;
        Ok(weights.with_prefixes(self.prefixes).without(self.is_unused))
    }
}
