//! Conversations with pictures, for any model that reads them.

use std::path::PathBuf;
use std::sync::Arc;

use cifake::Picture;

use super::encode::Encoded;
use super::learner::{Learner, Prepared};
use crate::generate::Prompt;
use crate::lora::Naming;
use crate::text::Decoder;
use crate::{Error, Linear, Linears};

/// A picture of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
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
pub struct Illustrated {
    /// Tokens and which are learned.
    pub encoded: Encoded,
    /// The pictures, in the order of their places.
    pub images: Vec<Image>,
}

/// A model that reads pictures among text.
pub trait Pictured: Linears + Clone + Send + Sync {
    /// The prompt of `tokens`, with one placeholder for each of `pictures`.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] where they are not as many; a picture that cannot be brought into
    /// the model's form; [`Error::Tokens`].
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error>;

    /// The decoder that reads the prompt.
    fn decoder(&self) -> &Decoder;

    /// How pictures are brought into the model's form, where that is not fixed: a run that goes on must
    /// agree in it with the one that was broken off.
    fn sight(&self) -> String {
        String::new()
    }
}

/// A model that learns from conversations with pictures.
#[derive(Debug, Clone)]
pub struct Pupil<M> {
    /// The model.
    pub model: M,
    /// What reads files, with its limits.
    pub reader: cifake::Decoder,
}

impl<M> Pupil<M> {
    /// `model` with a reader of the default limits.
    #[must_use]
    pub fn new(model: M) -> Self {
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

impl<M: Linears> Linears for Pupil<M> {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.model.visit_linears(visit);
    }

    fn naming(&self) -> Naming {
        self.model.naming()
    }

    fn tower(&self) -> Option<&str> {
        self.model.tower()
    }
}

impl<M: Pictured> Learner for Pupil<M> {
    type Example = Illustrated;

    fn n_targets(&self, example: &Illustrated) -> usize {
        example.encoded.n_targets()
    }

    fn digest(&self, example: &Illustrated, update: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        example.encoded.digest(update);
        let sight = self.model.sight();
        for image in &example.images {
            update(sight.as_bytes());
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

    fn prepare(&self, examples: &[&Illustrated]) -> Result<Prepared, Error> {
        let mut embeddings = Vec::new();
        let mut positions = Vec::new();
        let mut encoded = Vec::new();
        for example in examples {
            let pictures = self.pictures(&example.images)?;
            let prompt = self.model.prompt(&example.encoded.tokens, &pictures)?;
            encoded.push(example.encoded.with_pictures(prompt.tokens()));
            embeddings.push(prompt.embeddings().clone());
            positions.push(prompt.positions().clone());
        }
        let encoded: Vec<&Encoded> = encoded.iter().collect();
        Ok(Prepared::new(embeddings, Some(positions), &encoded))
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
