//! Qwen2-VL (arXiv 2409.12191): pictures of any size among text.
//!
//! transformers' `Qwen2VLForConditionalGeneration` (`modeling_qwen2_vl.py`, 4.57), for pictures;
//! films are not read. Weights keep the names under which they were published.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use cifake::Picture;

use super::config::Qwen2VlConfig;
use crate::error::Error;
use crate::image::{Enlargement, Patches, Qwen2VlProcessor};
use crate::models::architecture::Architecture;
use crate::models::language_model::{ChatConventions, LanguageModel};
use crate::models::prompt::{merged, read_config};
use crate::nn::{Linear, LoraTargets};
use crate::peft::Naming;
use crate::source::{Matrix, Shapes, WeightFormat, WeightSource};
use crate::text::{Decoder, DecoderNames, Prompt};
use crate::vision::Qwen2VlVision;

/// Tower, merger and decoder.
#[derive(Debug, Clone)]
pub struct Qwen2Vl {
    config: Qwen2VlConfig,
    visual: Qwen2VlVision,
    decoder: Decoder,
    processor: Qwen2VlProcessor,
    enlargement: Enlargement,
}

/// Qwen2-VL's row of the table.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["qwen2_vl"],
    build: |config, weights| {
        Ok(Box::new(Qwen2Vl::new(weights, &Qwen2VlConfig::from_hugging_face(config)?)?))
    },
    prefixes: Qwen2Vl::PREFIXES,
    is_unused: |_| false,
};

impl Qwen2Vl {
    /// The parts' names in newer transformers, each with the name under which it was published.
    /// They serve [`Folder::with_prefixes`](crate::Folder::with_prefixes) and the names of
    /// adapters.
    pub const PREFIXES: &[(&str, &str)] =
        &[("model.visual.", "visual."), ("model.language_model.", "model.")];

    /// The model of `config` with the weights of `weights`: `visual`, `model` and `lm_head`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(weights: &mut dyn WeightSource, config: &Qwen2VlConfig) -> Result<Self, Error> {
        let visual = Qwen2VlVision::new(config.vision.clone(), weights, "visual")?;
        let decoder = Decoder::new(weights, &config.text, &DecoderNames::default())?;
        let (processor, enlargement) = (Qwen2VlProcessor::default(), Enlargement::Off);
        Ok(Self { config: config.clone(), visual, decoder, processor, enlargement })
    }

    /// The same model with another preprocessing of pictures. [`new`](Self::new) takes the published one.
    #[must_use]
    pub fn with_processor(mut self, processor: Qwen2VlProcessor) -> Self {
        self.processor = processor;
        self
    }

    /// The model of a folder as Hugging Face publishes it: `config.json` and safetensors files.
    ///
    /// # Errors
    /// Those of [`Qwen2VlConfig::from_hugging_face`] and [`Folder`](crate::Folder), which is strict both ways.
    pub fn load(folder: &Path, format: WeightFormat, device: &Device) -> Result<Self, Error> {
        let config = Qwen2VlConfig::from_hugging_face(&read_config(folder)?)?;
        let mut weights = ARCHITECTURE.weights(folder, format, device)?;
        let model = Self::new(&mut weights, &config)?;
        weights.finish()?;
        Ok(model)
    }

    /// The configuration.
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
    /// If the number of patches differs from the grids.
    pub fn prompt_of(&self, tokens: &[u32], patches: &Patches) -> Result<Prompt, Error> {
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

impl Qwen2VlConfig {
    /// Names and shapes of all weights, under the published names, and what they take; no memory
    /// is taken for it.
    ///
    /// # Errors
    /// Never for a configuration of this type.
    pub fn shapes(&self) -> Result<Shapes, Error> {
        let mut shapes = Shapes::new(&Device::flex());
        Qwen2Vl::new(&mut shapes, self)?;
        Ok(shapes)
    }

    /// Bytes of the weights if matrices are kept in `format`; what a prompt needs comes on top,
    /// see [`Cache::bytes`](crate::Cache::bytes).
    ///
    /// # Errors
    /// As [`shapes`](Self::shapes).
    pub fn bytes(&self, format: WeightFormat) -> Result<u64, Error> {
        Ok(self.shapes()?.bytes(format))
    }
}

impl LoraTargets for Qwen2Vl {
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

impl LanguageModel for Qwen2Vl {
    fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        self.prompt_of(tokens, &self.processor.process(pictures, self.enlargement)?)
    }

    fn reads_pictures(&self) -> bool {
        true
    }

    fn boxed_clone(&self) -> Box<dyn LanguageModel> {
        Box::new(self.clone())
    }

    fn preprocessing(&self) -> String {
        format!("{:?} {:?}", self.enlargement, self.processor)
    }

    fn conventions(&self) -> ChatConventions {
        ChatConventions {
            image_text: "<|vision_start|><|image_pad|><|vision_end|>",
            processor_template: true,
            ..ChatConventions::text()
        }
    }

    fn read_processor(&mut self, folder: &Path) -> Result<(), Error> {
        self.processor = Qwen2VlProcessor::read(folder)?;
        Ok(())
    }

    fn set_enlargement(&mut self, enlargement: Enlargement) {
        self.enlargement = enlargement;
    }

    fn set_pixels(&mut self, least: u64, most: u64) -> Result<(), Error> {
        self.processor = self.processor.clone().with_pixels(least, most)?;
        Ok(())
    }
}
