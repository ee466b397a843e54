//! Training of vision-language models on conversations with pictures.

use std::path::PathBuf;
use std::sync::Arc;

use cifake::Picture;

use super::encode::Encoded;
use super::trainable::{ModelInputs, Trainable};
use crate::error::Error;
use crate::models::LanguageModel;
use crate::nn::{Linear, LoraTargets};
use crate::peft::Naming;
use crate::source::Matrix;
use crate::text::{AttentionMask, Decoder};

/// A picture of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Image {
    /// A file, read when the example's turn comes.
    File(PathBuf),
    /// The bytes of a file, decoded when the example's turn comes.
    Encoded(Arc<[u8]>),
    /// Pixels.
    Pixels(Arc<Picture>),
}

/// An example whose text has one placeholder token for each of its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisionExample {
    /// Tokens and which are learned.
    pub encoded: Encoded,
    /// The pictures, in the order of their places.
    pub images: Vec<Image>,
}

/// A vision-language model that can be trained on conversations with pictures.
#[derive(Debug, Clone)]
pub struct TrainableVlm {
    /// The model.
    pub model: Box<dyn LanguageModel>,
    /// The reader of picture files, with its limits.
    pub reader: cifake::Decoder,
}

impl TrainableVlm {
    /// `model` with a reader of the default limits.
    #[must_use]
    pub fn new(model: Box<dyn LanguageModel>) -> Self {
        Self { model, reader: cifake::Decoder::default() }
    }

    fn pictures(&self, images: &[Image]) -> Result<Vec<Picture>, Error> {
        let read = |image: &Image| match image {
            Image::File(path) => Ok(self.reader.read(path)?),
            Image::Encoded(bytes) => Ok(self.reader.decode(bytes)?),
            Image::Pixels(picture) => Ok(Picture::clone(picture)),
        };
        images.iter().map(read).collect()
    }
}

impl LoraTargets for TrainableVlm {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.model.visit_linears(visit);
    }

    fn naming(&self) -> Naming {
        self.model.naming()
    }

    fn embedding(&self) -> Option<&Matrix> {
        self.model.embedding()
    }

    fn tower(&self) -> Option<&str> {
        self.model.tower()
    }
}

impl Trainable for TrainableVlm {
    type Example = VisionExample;

    fn n_targets(&self, example: &VisionExample) -> usize {
        example.encoded.n_targets()
    }

    fn digest(&self, example: &VisionExample, update: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        example.encoded.digest(update);
        let preprocessing = self.model.preprocessing();
        for image in &example.images {
            update(preprocessing.as_bytes());
            match image {
                Image::File(path) => {
                    let limit = self.reader.limits().max_file_bytes;
                    let bytes = cifake::file::read_limited(path, limit)?;
                    update(cifake::weights::sha256_hex(&bytes).as_bytes());
                }
                Image::Encoded(bytes) => update(cifake::weights::sha256_hex(bytes).as_bytes()),
                Image::Pixels(picture) => update(picture.pixels()),
            }
            update(&[0]);
        }
        Ok(())
    }

    fn prepare(&self, examples: &[&VisionExample]) -> Result<ModelInputs, Error> {
        let mut embeddings = Vec::new();
        let mut positions = Vec::new();
        let mut encoded = Vec::new();
        let mut prefixes = Vec::new();
        for example in examples {
            let pictures = self.pictures(&example.images)?;
            let prompt = self.model.prompt(&example.encoded.tokens, &pictures)?;
            prompt.check_positions(self.model.decoder())?;
            let own = example.encoded.with_pictures(prompt.tokens());
            // A prefix ends where what is learned begins: no token may see what follows it there.
            let first = own.answer.iter().position(|answer| *answer).unwrap_or(prompt.len());
            prefixes.push(prompt.prefix().min(first));
            encoded.push(own);
            embeddings.push(prompt.embeddings().clone());
            positions.push(prompt.positions().clone());
        }
        let encoded: Vec<&Encoded> = encoded.iter().collect();
        let mask = AttentionMask::with_prefixes(prefixes);
        Ok(ModelInputs::new(embeddings, Some(positions), &encoded).with_mask(mask))
    }

    fn decoder(&self) -> &Decoder {
        self.model.decoder()
    }
}

impl Encoded {
    /// The same example with `tokens`, in which placeholders are repeated: what is learned stays.
    #[must_use]
    fn with_pictures(&self, tokens: &[u32]) -> Self {
        let mut expanded = Self::default();
        let mut at = 0;
        let mut runs = tokens.chunk_by(|a, b| a == b);
        for own in self.tokens.chunk_by(|a, b| a == b) {
            let Some(run) = runs.next() else { break };
            let answer = &self.answer[at..at + own.len()];
            at += own.len();
            expanded.tokens.extend_from_slice(run);
            match own.len() == run.len() {
                true => expanded.answer.extend_from_slice(answer),
                false => expanded.answer.resize(expanded.tokens.len(), false),
            }
        }
        expanded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learned_stays_where_pictures_grow() {
        let encoded = Encoded {
            tokens: vec![9, 1, 9, 9, 2, 2, 3],
            answer: vec![false, false, false, false, false, true, true],
        };
        let expanded = encoded.with_pictures(&[9, 9, 9, 1, 9, 9, 9, 9, 9, 9, 2, 2, 3]);
        assert_eq!(expanded.n_targets(), 2);
        assert_eq!(expanded.targets().collect::<Vec<_>>(), [(10, 2), (11, 3)]);
    }
}
