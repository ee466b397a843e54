//! Noise on DCT coefficients, after the [reference](crate#the-reference).

use burn::tensor::{Tensor, TensorData};
use rand::seq::{IndexedRandom, index};
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;
use rustdct::DctPlanner;
use serde::Serialize;

use crate::Error;
use crate::kit::{Attack, Perturbed, SampleRng, Samples, TargetModel, values};

/// Adds a constant to random coefficients of the orthonormal DCT of a whole picture, read as one
/// line of bytes (rows, then columns, then RGB), and stretches the result to the range of a byte.
///
/// It asks no model. The stretching moves every pixel, so no ball bounds the result. The result is
/// rounded down to whole levels, like a cast to bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DctNoise {
    /// The constants, in levels of a byte; one of them is drawn for each picture.
    pub strengths: Vec<f64>,
    /// Share of the coefficients that are changed, 0 to 1.
    pub share: f64,
}

impl DctNoise {
    /// 4, 8, 12, 16 or 20 on 2,000 of the 3,072 coefficients of a 32x32 picture.
    #[must_use]
    pub fn reference() -> Self {
        Self { strengths: vec![4.0, 8.0, 12.0, 16.0, 20.0], share: 2000.0 / 3072.0 }
    }
}

impl Attack for DctNoise {
    fn name(&self) -> String {
        let strengths: Vec<String> = self.strengths.iter().map(f64::to_string).collect();
        format!("DCT noise {}", strengths.join(" "))
    }

    fn perturb(
        &self,
        _target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let [batch, channels, height, width] = samples.images.dims();
        let len = channels * height * width;
        let lines = samples.images.clone().permute([0, 2, 3, 1]);
        let mut lines = values(lines);
        let mut planner = DctPlanner::<f64>::new();
        let (forward, inverse) = (planner.plan_dct2(len), planner.plan_dct3(len));
        let n_changed = (self.share * len as f64).round() as usize;
        lines.par_chunks_mut(len).zip(&samples.ids).for_each(|(line, &id)| {
            let mut line_f64: Vec<f64> =
                line.iter().map(|&x| (f64::from(x) * 255.0).round()).collect();
            forward.process_dct2(&mut line_f64);
            // rustdct leaves out the scale of the orthonormal transform. The first basis vector of
            // the latter is shorter.
            let scale = (len as f64 / 2.0).sqrt();
            let rng = &mut SampleRng::new(seed, id, 0);
            let strength = self.strengths.choose(rng).copied().unwrap_or(0.0);
            for place in index::sample(rng, len, n_changed.min(len)) {
                let first = if place == 0 { std::f64::consts::SQRT_2 } else { 1.0 };
                line_f64[place] += strength * scale * first;
            }
            inverse.process_dct3(&mut line_f64);
            stretch(&line_f64, line);
        });
        let images = TensorData::new(lines, [batch, height, width, channels]);
        let images = Tensor::<4>::from_data(images, &samples.images.device());
        let images = images.permute([0, 3, 1, 2]);
        Ok(Perturbed::without_queries(images))
    }
}

/// Maps `from` linearly to whole levels of 0 to 255, its lowest value to 0 and its highest to 255.
fn stretch(from: &[f64], to: &mut [f32]) {
    let low = from.iter().copied().fold(f64::INFINITY, f64::min);
    let high = from.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = if high > low { high - low } else { 1.0 };
    for (to, from) in to.iter_mut().zip(from) {
        *to = ((from - low) / range * 255.0).floor() as f32 / 255.0;
    }
}
