//! A random pixel of a fixed color.

use burn::tensor::{Tensor, TensorData};
use serde::Serialize;

use crate::Error;
use crate::kit::{Attack, Perturbed, SampleRng, Samples, TargetModel, values};

/// Sets one random pixel to a fixed color: the "one-pixel attack" of the
/// [reference](crate#the-reference).
///
/// It asks no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PixelNoise {
    /// The color, RGB.
    pub color: [u8; 3],
}

impl PixelNoise {
    /// Pure green.
    #[must_use]
    pub fn reference() -> Self {
        Self { color: [0, 255, 0] }
    }
}

impl Attack for PixelNoise {
    fn name(&self) -> String {
        "pixel noise".to_owned()
    }

    fn perturb(
        &self,
        _target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let dims = samples.images.dims();
        let [_, channels, height, width] = dims;
        let mut images = values(samples.images.clone());
        let len = channels * height * width;
        for (image, &id) in images.chunks_exact_mut(len).zip(&samples.ids) {
            let at = SampleRng::new(seed, id, 0).below(height * width);
            for (plane, level) in image.chunks_exact_mut(height * width).zip(self.color) {
                plane[at] = f32::from(level) / 255.0;
            }
        }
        let images = Tensor::from_data(TensorData::new(images, dims), &samples.images.device());
        Ok(Perturbed::without_queries(images))
    }
}
