//! Text models: a decoder alone.

use cifake::Picture;
use serde_json::Value;

use super::architecture::Architecture;
use super::language_model::LanguageModel;
use super::prompt::merged;
use crate::error::Error;
use crate::source::WeightSource;
use crate::text::{Decoder, DecoderNames, Positions, Prompt, TextConfig};

/// Llama, Mistral, Qwen2, Phi and Gemma.
pub(super) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["llama", "mistral", "qwen2", "phi", "gemma", "gemma2"],
    build,
    prefixes: &[],
    is_unused: |name| name.ends_with("rotary_emb.inv_freq"),
};

fn build(config: &Value, weights: &mut dyn WeightSource) -> Result<Box<dyn LanguageModel>, Error> {
    let config = TextConfig::from_hugging_face(config)?;
    Ok(Box::new(Decoder::new(weights, &config, &DecoderNames::default())?))
}

impl LanguageModel for Decoder {
    fn decoder(&self) -> &Decoder {
        self
    }

    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        if !pictures.is_empty() {
            return Err(Error::no_pictures(pictures.len()));
        }
        let embeddings = merged(self, tokens, |_| false, None)?;
        Ok(Prompt::new(embeddings, Positions::text(&[0], tokens.len()), tokens.to_vec()))
    }

    fn reads_pictures(&self) -> bool {
        false
    }

    fn boxed_clone(&self) -> Box<dyn LanguageModel> {
        Box::new(self.clone())
    }
}
