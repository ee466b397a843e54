//! A training set in memory.

use std::borrow::Cow;

use burn::tensor::{Device, Tensor, TensorData};
use cifake::{Label, Picture};
use cifake_attacks::Samples;
use rand::rngs::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::TrainError;
use crate::sized::{random_part, whole};

/// Decoded square pictures of one size with their labels. Pictures of other sizes may follow; each
/// epoch sees a random part of these at that size.
#[derive(Debug, Clone)]
pub struct Examples {
    pixels: Vec<u8>,
    /// Of all pictures.
    labels: Vec<Label>,
    side: usize,
    /// The last pictures, each of its own size.
    sized: Vec<Picture>,
}

impl Examples {
    /// `pixels` are `[labels.len(), side, side, 3]`, RGB, interleaved.
    ///
    /// # Errors
    ///
    /// [`TrainError::Examples`] for another number of bytes, or no picture.
    pub fn new(pixels: Vec<u8>, labels: Vec<Label>, side: usize) -> Result<Self, TrainError> {
        let expected = labels.len() * side * side * 3;
        if labels.is_empty() || pixels.len() != expected {
            return Err(TrainError::Examples { found: pixels.len(), expected });
        }
        Ok(Self { pixels, labels, side, sized: Vec::new() })
    }

    /// The same with as many more pictures as there are `labels`, each of any size.
    ///
    /// Each epoch draws a square anywhere in such a picture, with half of the shorter side to all of it
    /// as its side. [`Picture::fitted`](cifake::Picture::fitted) brings the square to the size of the
    /// others.
    ///
    /// # Errors
    ///
    /// [`TrainError::SizedExamples`] for different numbers of pictures and labels.
    pub fn with_sized(
        mut self,
        pictures: Vec<Picture>,
        labels: Vec<Label>,
    ) -> Result<Self, TrainError> {
        if pictures.len() != labels.len() {
            return Err(TrainError::SizedExamples {
                found: pictures.len(),
                expected: labels.len(),
            });
        }
        self.sized.extend(pictures);
        self.labels.extend(labels);
        Ok(self)
    }

    /// Adds pictures, as many as there are labels, of the same size, before any of other sizes.
    pub(crate) fn extend(&mut self, pixels: Vec<u8>, labels: Vec<Label>) {
        assert!(self.sized.is_empty(), "pictures of other sizes are the last ones");
        assert_eq!(pixels.len(), labels.len() * self.side * self.side * 3, "whole pictures");
        self.pixels.extend(pixels);
        self.labels.extend(labels);
    }

    /// Number of pictures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Always false: an empty set cannot be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pictures of `label` that have the common size.
    ///
    /// # Errors
    ///
    /// [`TrainError::Examples`] if there is none.
    pub fn only(&self, label: Label) -> Result<Self, TrainError> {
        let n_square = self.labels.len() - self.sized.len();
        let chosen: Vec<usize> = (0..n_square).filter(|&idx| self.label(idx) == label).collect();
        let pixels = chosen.iter().flat_map(|&idx| self.pixels(idx)).copied().collect();
        Self::new(pixels, vec![label; chosen.len()], self.side)
    }

    /// Height and width of each picture as it is trained on.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// All labels in order.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The pictures at `indices`, each as a whole, `[indices.len(), 3, side, side]` in `[0, 1]`.
    pub(crate) fn images(&self, indices: &[usize], device: &Device) -> Tensor<4> {
        let of = |&index: &usize| match self.sized(index) {
            None => planes(self.pixels(index)),
            Some(picture) => planes(&whole(picture, self.side)),
        };
        let pixels: Vec<f32> = indices.iter().flat_map(of).collect();
        let shape = [indices.len(), 3, self.side, self.side];
        Tensor::from_data(TensorData::new(pixels, shape), device)
    }

    /// The same for an attack; the indices are the ids.
    pub(crate) fn samples(&self, indices: &[usize], device: &Device) -> Samples {
        let labels = indices.iter().map(|&i| self.label(i)).collect();
        let ids = indices.iter().map(|&i| i as u64).collect();
        Samples::new(self.images(indices, device), labels, ids)
    }

    pub(crate) fn label(&self, idx: usize) -> Label {
        self.labels[idx]
    }

    /// RGB of one picture at its own size, row by row, interleaved.
    ///
    /// # Panics
    ///
    /// If there is no picture `idx`.
    #[must_use]
    pub fn pixels(&self, idx: usize) -> &[u8] {
        let size = self.side * self.side * 3;
        match self.sized(idx) {
            None => &self.pixels[idx * size..(idx + 1) * size],
            Some(picture) => picture.pixels(),
        }
    }

    /// RGB of one picture as an epoch sees it before it is augmented: all of it, or of another size a
    /// part that is drawn from `rng`.
    pub(crate) fn view(&self, idx: usize, rng: &mut ChaCha8Rng) -> Cow<'_, [u8]> {
        match self.sized(idx) {
            None => Cow::Borrowed(self.pixels(idx)),
            Some(picture) => Cow::Owned(random_part(picture, self.side, rng)),
        }
    }

    /// Picture `idx` where it has a size of its own.
    pub(crate) fn sized(&self, idx: usize) -> Option<&Picture> {
        let n_square = self.labels.len() - self.sized.len();
        idx.checked_sub(n_square).map(|place| &self.sized[place])
    }
}

/// Interleaved bytes to planes in `[0, 1]`.
pub(crate) fn planes(rgb: &[u8]) -> Vec<f32> {
    let channel = |c: usize| rgb.chunks_exact(3).map(move |p| f32::from(p[c]) / 255.0);
    (0..3).flat_map(channel).collect()
}

/// SHA-256 over the pictures and labels of a run, as hexadecimal digits.
pub(crate) fn fingerprint(train: &Examples, validation: &Examples) -> String {
    let mut hash = Sha256::new();
    for examples in [train, validation] {
        for idx in 0..examples.len() {
            if let Some(picture) = examples.sized(idx) {
                hash.update(
                    [picture.width().to_le_bytes(), picture.height().to_le_bytes()].concat(),
                );
            }
            hash.update(examples.pixels(idx));
            hash.update([examples.label(idx).index() as u8]);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_one_label_keep_their_order() {
        let labels = vec![Label::Fake, Label::Real, Label::Fake];
        let pixels = (0..9).collect();
        let examples = Examples::new(pixels, labels, 1).expect("three pictures of one pixel");
        let sized = Picture::new(vec![9; 6], 2, 1).expect("2x1");
        let examples = examples.with_sized(vec![sized], vec![Label::Fake]).expect("one label");
        let fake = examples.only(Label::Fake).expect("two pictures");
        assert_eq!(
            (fake.len(), fake.pixels(0), fake.pixels(1)),
            (2, &[0, 1, 2][..], &[6, 7, 8][..])
        );
        assert!(matches!(fake.only(Label::Real), Err(TrainError::Examples { .. })));
    }
}
