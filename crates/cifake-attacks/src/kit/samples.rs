//! The input of an attack.

use burn::tensor::{Tensor, TensorData};
use cifake::Label;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::random::SampleRng;
use super::tensor::rows;

/// Pictures with their true labels and ids. A sample's random draws are a function of its id.
#[derive(Debug, Clone)]
pub struct Samples {
    /// `[batch, 3, height, width]`, RGB, in `[0, 1]`, on a device without autodiff.
    pub images: Tensor<4>,
    /// The true label of each picture.
    pub labels: Vec<Label>,
    /// A number for each picture, the same in every batch.
    pub ids: Vec<u64>,
}

impl Samples {
    /// A batch of pictures `[batch, 3, height, width]`, RGB, in `[0, 1]`.
    ///
    /// # Panics
    ///
    /// If the batch is empty, a label or an id is missing, or there are not three channels.
    #[must_use]
    pub fn new(images: Tensor<4>, labels: Vec<Label>, ids: Vec<u64>) -> Self {
        let [batch, channels, height, width] = images.dims();
        assert!(batch > 0, "a batch holds at least one picture");
        assert!(channels == 3 && height > 0 && width > 0, "pictures are [3, height, width]");
        assert_eq!([labels.len(), ids.len()], [batch; 2], "one label and one id a picture");
        Self { images, labels, ids }
    }

    /// Number of pictures, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Random values in the shape of the images.
    ///
    /// For each sample, `draw` gets its generator for `seed` and `restart` and the number of values
    /// of a picture; it returns that many values.
    ///
    /// # Panics
    ///
    /// If `draw` returns another number of values.
    #[must_use]
    pub fn draw(
        &self,
        seed: u64,
        restart: usize,
        draw: impl Fn(&mut SampleRng, usize) -> Vec<f32> + Sync,
    ) -> Tensor<4> {
        let dims = self.images.dims();
        let len = dims[1..].iter().product();
        let draw = |&id: &u64| draw(&mut SampleRng::new(seed, id, restart), len);
        let drawn: Vec<Vec<f32>> = self.ids.par_iter().map(draw).collect();
        Tensor::from_data(TensorData::new(drawn.concat(), dims), &self.images.device())
    }

    /// The samples at `indices`, in this order.
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len).
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            images: rows(&self.images, indices),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            ids: indices.iter().map(|&i| self.ids[i]).collect(),
        }
    }
}
