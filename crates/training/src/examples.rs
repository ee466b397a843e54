//! A training set in memory.

use burn::tensor::{Device, Tensor, TensorData};
use cifake::Label;
use cifake_attacks::Samples;
use sha2::{Digest, Sha256};

use crate::TrainError;

/// Decoded square pictures of one size with their labels.
#[derive(Debug, Clone)]
pub struct Examples {
    pixels: Vec<u8>,
    labels: Vec<Label>,
    side: usize,
}

impl Examples {
    /// `pixels` are `[labels.len(), side, side, 3]`, RGB, interleaved.
    ///
    /// # Errors
    ///
    /// If the number of bytes is another, or there are none.
    pub fn new(pixels: Vec<u8>, labels: Vec<Label>, side: usize) -> Result<Self, TrainError> {
        let expected = labels.len() * side * side * 3;
        if labels.is_empty() || pixels.len() != expected {
            return Err(TrainError::Examples { found: pixels.len(), expected });
        }
        Ok(Self { pixels, labels, side })
    }

    /// Adds pictures, as many as there are labels, of the same size.
    pub(crate) fn extend(&mut self, pixels: Vec<u8>, labels: Vec<Label>) {
        assert_eq!(pixels.len(), labels.len() * self.side * self.side * 3, "whole pictures");
        self.pixels.extend(pixels);
        self.labels.extend(labels);
    }

    /// Number of pictures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never: an empty set cannot be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Height and width of each picture.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// All labels in order.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The pictures at `indices` as they are, `[indices.len(), 3, side, side]` in `[0, 1]`.
    pub(crate) fn images(&self, indices: &[usize], device: &Device) -> Tensor<4> {
        let pixels: Vec<f32> = indices.iter().flat_map(|&i| planes(self.pixels(i))).collect();
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

    pub(crate) fn pixels(&self, idx: usize) -> &[u8] {
        let size = self.side * self.side * 3;
        &self.pixels[idx * size..(idx + 1) * size]
    }
}

/// Interleaved bytes to planes in `[0, 1]`.
pub(crate) fn planes(rgb: &[u8]) -> Vec<f32> {
    let channel = |c: usize| rgb.chunks_exact(3).map(move |p| f32::from(p[c]) / 255.0);
    (0..3).flat_map(channel).collect()
}

/// Says which pictures and labels a run sees.
pub(crate) fn fingerprint(train: &Examples, validation: &Examples) -> String {
    let mut hash = Sha256::new();
    for examples in [train, validation] {
        for idx in 0..examples.len() {
            hash.update(examples.pixels(idx));
            hash.update([examples.label(idx).index() as u8]);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
