//! Qwen2-VL (arXiv 2409.12191): pictures of any size among text.
//!
//! transformers' `Qwen2VLForConditionalGeneration` (`modeling_qwen2_vl.py`, 4.57), for pictures;
//! films are not read. Weights keep the names under which they were published.

mod config;
mod position;

use std::path::Path;

use burn::tensor::{Device, Tensor};

pub use config::Qwen2VlConfig;

use super::{merged, read_config};
use crate::generate::Prompt;
use crate::image::Patches;
use crate::lora::Naming;
use crate::text::{Decoder, DecoderNames};
use crate::vision::Qwen2VlVision;
use crate::{Error, Folder, Linear, Linears, Matrix, Parameters, Storage};

/// Tower, merger and decoder.
#[derive(Debug, Clone)]
pub struct Qwen2Vl {
    config: Qwen2VlConfig,
    visual: Qwen2VlVision,
    decoder: Decoder,
}

impl Qwen2Vl {
    /// What newer transformers call the parts, and how they were published: for
    /// [`Folder::with_prefixes`], and for the names of adapters.
    pub const PREFIXES: &[(&str, &str)] =
        &[("model.visual.", "visual."), ("model.language_model.", "model.")];

    /// The model of `config` with the weights of `parameters`: `visual`, `model` and `lm_head`.
    ///
    /// # Errors
    /// Those of `parameters`.
    pub fn new(parameters: &mut dyn Parameters, config: &Qwen2VlConfig) -> Result<Self, Error> {
        let visual = Qwen2VlVision::new(config.vision.clone(), parameters, "visual")?;
        let decoder = Decoder::new(parameters, &config.text, &DecoderNames::default())?;
        Ok(Self { config: config.clone(), visual, decoder })
    }

    /// The model of a folder as Hugging Face publishes it: `config.json` and safetensors files.
    ///
    /// # Errors
    /// Those of [`Qwen2VlConfig::from_hugging_face`] and [`Folder`], which is strict both ways.
    pub fn load(folder: &Path, storage: Storage, device: &Device) -> Result<Self, Error> {
        let config = Qwen2VlConfig::from_hugging_face(&read_config(folder)?)?;
        let mut weights = Folder::open(folder, storage, device)?.with_prefixes(Self::PREFIXES);
        let model = Self::new(&mut weights, &config)?;
        weights.finish()?;
        Ok(model)
    }

    /// What the model looks like.
    #[must_use]
    pub fn config(&self) -> &Qwen2VlConfig {
        &self.config
    }

    /// The tower and the merger.
    #[must_use]
    pub fn visual(&self) -> &Qwen2VlVision {
        &self.visual
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The prompt of `tokens`, with one `<|image_pad|>` for each picture of `patches`.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] where they are not as many; [`Error::PictureFormat`] for patches of
    /// other sizes than the tower's; [`Error::Tokens`] for a token outside the vocabulary.
    ///
    /// # Panics
    /// If the patches are not as many as their grids say.
    pub fn prompt(&self, tokens: &[u32], patches: &Patches) -> Result<Prompt, Error> {
        let grids = &patches.grids;
        self.check(patches)?;
        let tokens = self.config.expanded(tokens, grids)?;
        let pictures = (!grids.is_empty()).then(|| self.visual.forward(patches));
        let is_picture = |token| token == self.config.image_token;
        let embeddings = merged(&self.decoder, &tokens, is_picture, pictures)?;
        let positions = self.config.positions(&tokens, grids)?;
        Ok(Prompt::new(embeddings, positions, tokens))
    }

    /// Fails where the processor had other sizes of patches or blocks than the tower.
    fn check(&self, patches: &Patches) -> Result<(), Error> {
        let vision = &self.config.vision;
        let (ours, theirs) = (vision.form(), patches.form);
        for (what, found, expected) in [
            ("patches", theirs.patch_size, ours.patch_size),
            ("frames", theirs.temporal_patch_size, ours.temporal_patch_size),
            ("blocks", theirs.merge_size, ours.merge_size),
        ] {
            if found != expected {
                return Err(Error::PictureFormat { what, found, expected });
            }
        }
        let expected = vision.spatial_merge_size;
        let sides = patches.grids.iter().flat_map(|grid| [grid.height, grid.width]);
        match sides.into_iter().find(|side| !side.is_multiple_of(expected)) {
            Some(found) => Err(Error::PictureFormat { what: "a grid", found, expected }),
            None => Ok(()),
        }
    }

    /// Scores of the next token behind each token of `prompt`, `[tokens, vocab_size]`, without a
    /// cache: for training and for comparison.
    #[must_use]
    pub fn logits(&self, prompt: &Prompt) -> Tensor<2> {
        prompt.logits(&self.decoder)
    }
}

impl Linears for Qwen2Vl {
    /// The tower's, the merger's, then the decoder's.
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.visual.visit_linears(visit);
        self.decoder.visit_linears(visit);
    }

    fn embedding(&self) -> Option<&Matrix> {
        Some(self.decoder.embedding().weight())
    }

    fn naming(&self) -> Naming {
        Naming::NESTED
    }
}
