//! Conversations with pictures, for any model that reads them.

use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Tensor;
use cifake::{Picture, tensor_from_rgb8};

use super::encode::Encoded;
use super::learner::{Learner, Prepared};
use crate::image::{Enlargement, MultiCropProcessor, Qwen2VlProcessor};
use crate::models::{McLlava, Prefix, Prompt, Qwen2Vl, VisionTower};
use crate::text::Decoder;
use crate::{Error, Linear, Linears};

/// A picture of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// A file, read when the example's turn comes.
    File(PathBuf),
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

/// A model with what brings pictures into its form: it reads pictures, and learns from them.
#[derive(Debug, Clone)]
pub struct Seeing<M, P> {
    /// The model.
    pub model: M,
    /// What it sees pictures through: a processor, or for [`Prefix`] a vision tower.
    pub processor: P,
    /// What is done with small pictures first.
    pub enlargement: Enlargement,
    /// What reads files, with its limits.
    pub reader: cifake::Decoder,
}

/// A model that reads pictures among text.
pub trait Pictured: Linears {
    /// The prompt of `tokens`, with one placeholder for each of `pictures`.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] where they are not as many; a picture that cannot be brought into
    /// the model's form; [`Error::Tokens`].
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error>;

    /// The decoder that reads the prompt.
    fn decoder(&self) -> &Decoder;
}

impl<M, P> Seeing<M, P> {
    /// `model` behind `processor`, pictures as they are.
    #[must_use]
    pub fn new(model: M, processor: P) -> Self {
        let reader = cifake::Decoder::default();
        Self { model, processor, enlargement: Enlargement::Off, reader }
    }

    fn pictures(&self, images: &[Image]) -> Result<Vec<Picture>, Error> {
        let read = |image: &Image| match image {
            Image::File(path) => Ok(self.reader.read(path)?),
            Image::Pixels(picture) => Ok(Picture::clone(picture)),
        };
        images.iter().map(read).collect()
    }
}

impl<M: Linears, P> Linears for Seeing<M, P> {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.model.visit_linears(visit);
    }
}

impl Pictured for Seeing<Qwen2Vl, Qwen2VlProcessor> {
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let patches = self.processor.process(pictures, self.enlargement)?;
        self.model.prompt(tokens, &patches)
    }

    fn decoder(&self) -> &Decoder {
        self.model.decoder()
    }
}

impl Pictured for Seeing<McLlava, MultiCropProcessor> {
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let crops = |picture| self.processor.process(picture, self.enlargement);
        let crops = pictures.iter().map(crops).collect::<Result<Vec<_>, _>>()?;
        self.model.prompt(tokens, &crops)
    }

    fn decoder(&self) -> &Decoder {
        self.model.decoder()
    }
}

impl<T: VisionTower> Pictured for Seeing<Prefix, T> {
    /// Pictures are resized to the tower's size; the tower's features carry no gradients.
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let [height, width] = self.processor.image_size().map(|side| side as u32);
        let fitted = |picture: &Picture| -> Result<Picture, Error> {
            Ok(self.enlargement.apply(picture)?.fitted(width, height).0)
        };
        let fitted = pictures.iter().map(fitted).collect::<Result<Vec<_>, Error>>()?;
        let device = self.model.decoder().device();
        let features = match fitted.is_empty() {
            true => None,
            false => Some(self.processor.features(tensor_from_rgb8(&fitted, device)?)),
        };
        self.model.prompt(tokens, features.map(Tensor::inner))
    }

    fn decoder(&self) -> &Decoder {
        self.model.decoder()
    }
}

impl<M, P> Learner for Seeing<M, P>
where
    Self: Pictured,
{
    type Example = Illustrated;

    fn n_targets(&self, example: &Illustrated) -> usize {
        example.encoded.n_targets()
    }

    fn digest(&self, example: &Illustrated, update: &mut dyn FnMut(&[u8])) {
        example.encoded.digest(update);
        for image in &example.images {
            match image {
                Image::File(path) => update(path.as_os_str().as_encoded_bytes()),
                Image::Pixels(picture) => update(picture.pixels()),
            }
            update(&[0]);
        }
    }

    fn prepare(&self, examples: &[&Illustrated]) -> Result<Prepared, Error> {
        let mut embeddings = Vec::new();
        let mut positions = Vec::new();
        let mut encoded = Vec::new();
        for example in examples {
            let pictures = self.pictures(&example.images)?;
            let prompt = self.prompt(&example.encoded.tokens, &pictures)?;
            encoded.push(example.encoded.with_pictures(&prompt.tokens));
            embeddings.push(prompt.embeddings);
            positions.push(prompt.positions);
        }
        let encoded: Vec<&Encoded> = encoded.iter().collect();
        Ok(Prepared::new(embeddings, Some(positions), &encoded))
    }

    fn decoder(&self) -> &Decoder {
        Pictured::decoder(self)
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
