//! A training set in memory.

use cifake::Label;

use super::TrainError;

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

    pub(crate) fn label(&self, idx: usize) -> Label {
        self.labels[idx]
    }

    pub(crate) fn pixels(&self, idx: usize) -> &[u8] {
        let size = self.side * self.side * 3;
        &self.pixels[idx * size..(idx + 1) * size]
    }
}
