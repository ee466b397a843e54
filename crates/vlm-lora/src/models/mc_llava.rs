//! MC-LLaVA-3b: a picture as crops, each with its place, before Phi-2.
//!
//! `LlavaForCausalLM` of visheratin/mc-llava at 7d7369d, whose weights are the published
//! `visheratin/MC-LLaVA-3b`.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use cifake::Picture;
use serde_json::{Value, json};

use super::architecture::Architecture;
use super::language_model::{ChatConventions, LanguageModel};
use super::prompt::{expanded, merged, read_config};
use crate::error::Error;
use crate::image::{Crops, Enlargement, MultiCropProcessor};
use crate::nn::{Linear, LoraTargets};
use crate::source::{Matrix, Shapes, WeightFormat, WeightSource};
use crate::text::{Decoder, DecoderNames, Fields, Positions, Prompt, TextConfig};
use crate::vision::{MultiCropEncoder, SiglipVision, SiglipVisionConfig};

/// `<image>`, as messages call it.
const PLACEHOLDER: &str = "<image>";

/// MC-LLaVA: decoder, tower and the token that stands for a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct McLlavaConfig {
    /// The decoder.
    pub text: TextConfig,
    /// The tower.
    pub vision: SiglipVisionConfig,
    /// `<image>`: one a picture.
    pub image_token: u32,
    /// Tokens that a picture becomes, however many crops it has.
    pub n_image_tokens: usize,
}

impl McLlavaConfig {
    /// The published model: Phi-2 and SigLIP so400m at 384.
    #[must_use]
    pub fn mc_llava_3b() -> Self {
        Self {
            text: TextConfig::phi_2(),
            vision: SiglipVisionConfig::so400m_patch14_384(),
            image_token: 50_297,
            n_image_tokens: 728,
        }
    }

    /// The model that a `config.json` of `model_type` `mc-llava` describes; sizes of the decoder
    /// that it leaves out are those of upstream's `PhiConfig`.
    ///
    /// # Errors
    /// [`Error::Config`] for sizes that no model has or that do not fit each other.
    pub fn from_hugging_face(config: &Value) -> Result<Self, Error> {
        let mut text = json!({
            "model_type": "phi", "vocab_size": 51_200, "hidden_size": 2048,
            "intermediate_size": 8192, "num_hidden_layers": 24, "num_attention_heads": 32
        });
        let given = config.get("text_config").and_then(Value::as_object);
        for (name, value) in given.into_iter().flatten() {
            text[name.as_str()] = value.clone();
        }
        let text = TextConfig::from_hugging_face(&text)?;
        let vision = SiglipVisionConfig::from_hugging_face(config)?;
        let (fields, last) = (Fields::new(config), text.vocab_size - 1);
        let image_token = fields.size("image_token_index", Some(50_297.min(last)), 0..=last)?;
        // Upstream writes 728 into its code: every patch of the published tower but the first.
        let n_image_tokens = vision.n_patches().saturating_sub(1);
        Ok(Self { text, vision, image_token: image_token as u32, n_image_tokens })
    }

    /// Names and shapes of all weights that the model uses, under the published names, and what
    /// they take; no memory is taken for it.
    ///
    /// # Errors
    /// Never for a configuration of this type.
    pub fn shapes(&self) -> Result<Shapes, Error> {
        let mut shapes = Shapes::new(&Device::flex());
        McLlava::new(&mut shapes, self)?;
        Ok(shapes)
    }

    /// Bytes of the weights if matrices are kept in `format`.
    ///
    /// # Errors
    /// As [`shapes`](Self::shapes).
    pub fn bytes(&self, format: WeightFormat) -> Result<u64, Error> {
        Ok(self.shapes()?.bytes(format))
    }

    /// `tokens` with each `<image>` repeated as often as a picture has tokens.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] unless there are `n_pictures` of them.
    pub fn expanded(&self, tokens: &[u32], n_pictures: usize) -> Result<Vec<u32>, Error> {
        expanded(tokens, self.image_token, [n_pictures, self.n_image_tokens], PLACEHOLDER)
    }
}

/// Tower, coordinate MLP, projector and decoder.
#[derive(Debug, Clone)]
pub struct McLlava {
    config: McLlavaConfig,
    encoder: MultiCropEncoder,
    decoder: Decoder,
    processor: MultiCropProcessor,
    enlargement: Enlargement,
}

/// MC-LLaVA's row of the table.
pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["mc-llava"],
    build: |config, weights| {
        Ok(Box::new(McLlava::new(weights, &McLlavaConfig::from_hugging_face(config)?)?))
    },
    prefixes: &[],
    is_unused: McLlava::is_unused,
};

impl McLlava {
    /// The model of `config` with the weights of `weights`: `vision_model`,
    /// `multi_modal_projector` and `language_model`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(weights: &mut dyn WeightSource, config: &McLlavaConfig) -> Result<Self, Error> {
        let d_text = config.text.d_model;
        let encoder = MultiCropEncoder::new(config.vision.clone(), d_text, weights)?;
        let decoder = Decoder::new(weights, &config.text, &Self::names())?;
        let (processor, enlargement) = (MultiCropProcessor::default(), Enlargement::Off);
        Ok(Self { config: config.clone(), encoder, decoder, processor, enlargement })
    }

    /// The same model with another preprocessing of pictures. [`new`](Self::new) takes the published one.
    #[must_use]
    pub fn with_processor(mut self, processor: MultiCropProcessor) -> Self {
        self.processor = processor;
        self
    }

    /// The names under which the checkpoint keeps the decoder.
    fn names() -> DecoderNames {
        DecoderNames {
            model: "language_model.model".to_owned(),
            head: "language_model.lm_head".to_owned(),
        }
    }

    /// The model of a folder as Hugging Face publishes it: `config.json` and safetensors files.
    ///
    /// # Errors
    /// Those of [`McLlavaConfig::from_hugging_face`] and [`Folder`](crate::Folder), which is strict both ways:
    /// only the tower's post-norm and pooling head, which the model does not use, may be left over.
    pub fn load(folder: &Path, format: WeightFormat, device: &Device) -> Result<Self, Error> {
        let config = McLlavaConfig::from_hugging_face(&read_config(folder)?)?;
        let mut weights = ARCHITECTURE.weights(folder, format, device)?;
        let model = Self::new(&mut weights, &config)?;
        weights.finish()?;
        Ok(model)
    }

    /// Whether `name` is a weight that the checkpoint has and the model does not use.
    #[must_use]
    pub fn is_unused(name: &str) -> bool {
        let of_tower = name.strip_prefix(MultiCropEncoder::TOWER);
        of_tower.and_then(|rest| rest.strip_prefix('.')).is_some_and(SiglipVision::is_unused)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &McLlavaConfig {
        &self.config
    }

    /// Tower, coordinate MLP and projector.
    #[must_use]
    pub fn encoder(&self) -> &MultiCropEncoder {
        &self.encoder
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The prompt of `tokens`, with one `<image>` for each of `pictures`.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] where they are not as many; [`Error::PictureFormat`] for crops of
    /// another size than the tower's; [`Error::Tokens`] for a token outside the vocabulary;
    /// [`Error::Setting`] where a picture has more crops than tokens.
    pub fn prompt_of(&self, tokens: &[u32], pictures: &[Crops]) -> Result<Prompt, Error> {
        let tokens = self.config.expanded(tokens, pictures.len())?;
        let (n_tokens, expected) = (self.config.n_image_tokens, self.config.vision.image_size);
        if let Some(found) = pictures.iter().map(|crops| crops.side).find(|side| *side != expected)
        {
            return Err(Error::PictureFormat { what: "squares", found, expected });
        }
        let features = pictures.iter().map(|crops| self.encoder.forward(crops, n_tokens));
        let features = features.collect::<Result<Vec<_>, _>>()?;
        let features = (!features.is_empty()).then(|| Tensor::cat(features, 0));
        let is_picture = |token| token == self.config.image_token;
        let embeddings = merged(&self.decoder, &tokens, is_picture, features)?;
        let positions = Positions::text(&[0], tokens.len());
        Ok(Prompt::new(embeddings, positions, tokens))
    }

    /// Scores of the next token behind each token of `prompt`, `[tokens, vocab_size]`, without a
    /// cache: for training and for comparison.
    #[must_use]
    pub fn logits(&self, prompt: &Prompt) -> Tensor<2> {
        prompt.logits(&self.decoder)
    }
}

impl LoraTargets for McLlava {
    /// The tower's, the coordinate MLP's and the projector's, then the decoder's.
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.encoder.visit_linears(visit);
        self.decoder.visit_linears(visit);
    }

    fn embedding(&self) -> Option<&Matrix> {
        Some(self.decoder.embedding().weight())
    }
}

impl LanguageModel for McLlava {
    fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let crops = |picture| self.processor.process(picture, self.enlargement);
        self.prompt_of(tokens, &pictures.iter().map(crops).collect::<Result<Vec<_>, _>>()?)
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

    /// The published folder has no template. Its card describes ChatML.
    fn conventions(&self) -> ChatConventions {
        ChatConventions {
            processor_template: true,
            chat_ml_image: Some("<image>\n"),
            stop: &["<|im_end|>"],
            ..ChatConventions::text()
        }
    }

    fn read_processor(&mut self, folder: &Path) -> Result<(), Error> {
        self.processor = MultiCropProcessor::read(folder)?;
        Ok(())
    }

    fn set_enlargement(&mut self, enlargement: Enlargement) {
        self.enlargement = enlargement;
    }

    fn max_crops(&self) -> Option<usize> {
        Some(self.processor.max_crops())
    }

    fn set_max_crops(&mut self, max_crops: usize) -> Result<(), Error> {
        self.processor = self.processor.clone().with_max_crops(max_crops)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_file_is_the_preset() {
        let config = json!({
            "architectures": ["LlavaForCausalLM"], "ignore_index": -100,
            "image_token_index": 50297, "model_type": "mc-llava", "vocab_size": 51200,
            "text_config": {
                "model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240,
                "num_hidden_layers": 32, "num_key_value_heads": 32, "partial_rotary_factor": 0.4
            },
            "vision_config": {
                "hidden_size": 1152, "image_size": 384, "intermediate_size": 4304,
                "model_type": "siglip_vision_model", "num_attention_heads": 16,
                "num_hidden_layers": 27, "patch_size": 14
            }
        });
        let read = McLlavaConfig::from_hugging_face(&config).expect("it is as published");
        assert_eq!(read, McLlavaConfig::mc_llava_3b());
    }

    #[test]
    fn a_place_becomes_728_tokens() {
        let config = McLlavaConfig::mc_llava_3b();
        let expanded = config.expanded(&[1, 50_297, 2], 1).expect("one place");
        assert_eq!((expanded.len(), expanded[728], expanded[729]), (730, 50_297, 2));
        assert!(matches!(config.expanded(&[1], 1), Err(Error::PicturePlaces { .. })));
    }

    #[test]
    fn the_head_of_the_tower_is_unused_and_nothing_else() {
        let tower = MultiCropEncoder::TOWER;
        assert!(McLlava::is_unused(&format!("{tower}.head.probe")));
        assert!(McLlava::is_unused(&format!("{tower}.post_layernorm.weight")));
        assert!(!McLlava::is_unused(&format!("{tower}.encoder.layers.0.mlp.fc1.weight")));
        assert!(!McLlava::is_unused("language_model.lm_head.weight"));
    }

    #[test]
    fn three_billion_weights() {
        let shapes = McLlavaConfig::mc_llava_3b().shapes().expect("shapes are never wrong");
        let billions = shapes.n_elements() as f64 / 1e9;
        assert!((3.1..3.3).contains(&billions), "{billions}");
    }
}
