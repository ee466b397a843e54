//! Whatever model a folder holds, as one that learns.

use std::path::Path;

use cifake::Picture;
use serde_json::Value;

use super::chat::Chat;
use super::conversation::Conversation;
use super::encode::encode;
use super::pictured::{Illustrated, Image, Pictured, Seeing};
use super::{TrainingError, TuningConfig};
use crate::image::{MultiCropProcessor, Qwen2VlProcessor};
use crate::models::{McLlava, Prompt, Qwen2Vl};
use crate::text::{Decoder, DecoderNames};
use crate::{Error, Folder, Linear, Linears, Positions, Storage, TextConfig};

/// The most bytes of a `config.json`.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// A model of any architecture that is read here, with what brings pictures into its form.
#[derive(Debug, Clone)]
pub enum AnyModel {
    /// Llama, Qwen2 or Phi: text alone.
    Text(Decoder),
    /// Qwen2-VL.
    Qwen2Vl(Qwen2Vl, Qwen2VlProcessor),
    /// MC-LLaVA.
    McLlava(McLlava, MultiCropProcessor),
}

impl AnyModel {
    /// The model of a folder as Hugging Face publishes it, its matrices kept in `storage` on `device`.
    ///
    /// # Errors
    /// Those of the models' own loaders; [`Error::Config`] for another `model_type`.
    pub fn load(
        folder: &Path,
        storage: Storage,
        device: &burn::tensor::Device,
    ) -> Result<Self, Error> {
        let path = folder.join("config.json");
        let bytes = cifake::file::read_limited(&path, MAX_CONFIG_BYTES)?;
        let config: Value =
            serde_json::from_slice(&bytes).map_err(|source| Error::Json { path, source })?;
        let settings = folder.join("preprocessor_config.json");
        match config.get("model_type").and_then(Value::as_str) {
            Some("qwen2_vl") => {
                let processor = Qwen2VlProcessor::read(&settings)?;
                Ok(Self::Qwen2Vl(Qwen2Vl::load(folder, storage, device)?, processor))
            }
            Some("mc-llava") => {
                let processor = match settings.is_file() {
                    true => MultiCropProcessor::read(&settings)?,
                    false => MultiCropProcessor::default(),
                };
                Ok(Self::McLlava(McLlava::load(folder, storage, device)?, processor))
            }
            _ => {
                let config = TextConfig::from_hugging_face(&config)?;
                let tied = config.tied;
                let weights = Folder::open(folder, storage, device)?;
                let mut weights = weights.without(|name| tied && name == "lm_head.weight");
                let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default())?;
                weights.finish()?;
                Ok(Self::Text(decoder))
            }
        }
    }

    fn decoder(&self) -> &Decoder {
        match self {
            Self::Text(decoder) => decoder,
            Self::Qwen2Vl(model, _) => model.decoder(),
            Self::McLlava(model, _) => model.decoder(),
        }
    }
}

impl Linears for AnyModel {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        match self {
            Self::Text(decoder) => decoder.visit_linears(visit),
            Self::Qwen2Vl(model, _) => model.visit_linears(visit),
            Self::McLlava(model, _) => model.visit_linears(visit),
        }
    }
}

impl Pictured for Seeing<AnyModel, ()> {
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        match &self.model {
            AnyModel::Text(decoder) => {
                if !pictures.is_empty() {
                    let placeholder = "picture".to_owned();
                    let (what, places, found) = ("pictures", 0, pictures.len());
                    return Err(Error::PicturePlaces { what, places, found, placeholder });
                }
                check_tokens(decoder, tokens)?;
                let (embeddings, tokens) = (decoder.embed(tokens), tokens.to_vec());
                let positions = Positions::text(&[0], tokens.len());
                Ok(Prompt { tokens, embeddings, positions })
            }
            AnyModel::Qwen2Vl(model, processor) => {
                let patches = processor.process(pictures, self.enlargement)?;
                model.prompt(tokens, &patches)
            }
            AnyModel::McLlava(model, processor) => {
                let crops = |picture| processor.process(picture, self.enlargement);
                let crops = pictures.iter().map(crops).collect::<Result<Vec<_>, _>>()?;
                model.prompt(tokens, &crops)
            }
        }
    }

    fn decoder(&self) -> &Decoder {
        self.model.decoder()
    }
}

fn check_tokens(decoder: &Decoder, tokens: &[u32]) -> Result<(), Error> {
    let limit = decoder.config().vocab_size;
    match tokens.iter().find(|token| **token as usize >= limit) {
        Some(token) => {
            let reason = format!("{token} is outside the vocabulary of {limit}");
            Err(Error::Tokens { reason })
        }
        None => Ok(()),
    }
}

/// `conversations` as examples: their tokens by `chat`, cut to the recipe's length, in which a
/// picture counts as the tokens of its placeholder; pictures are files below `images`, which must
/// exist.
///
/// # Errors
/// Those of [`encode`]; [`TrainingError::NoAnswer`] where the cut leaves no answer;
/// [`cifake::Error::Read`] for a missing picture.
pub fn illustrated(
    conversations: &[Conversation],
    chat: &Chat,
    images: &Path,
    config: &TuningConfig,
) -> Result<Vec<Illustrated>, Error> {
    let max_tokens = config.max_tokens;
    let illustrate = |(example, conversation): (usize, &Conversation)| {
        let mut encoded = encode(conversation, chat)?;
        encoded.truncate(max_tokens);
        if encoded.n_targets() == 0 {
            return Err(TrainingError::NoAnswer { example, max_tokens }.into());
        }
        let image = |name: &String| {
            let path = images.join(name);
            match std::fs::metadata(&path) {
                Ok(_) => Ok(Image::File(path)),
                Err(source) => Err(Error::from(cifake::Error::Read { path, source })),
            }
        };
        let images = conversation.images.iter().map(image).collect::<Result<_, _>>()?;
        Ok(Illustrated { encoded, images })
    };
    conversations.iter().enumerate().map(illustrate).collect()
}
