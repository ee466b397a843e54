//! Corruptions: compression, blur, noise and resizing, which ask no model.

use cifake::{Picture, rgb8_from_tensor, tensor_from_rgb8};
use image::RgbImage;
use image::imageops::{self, FilterType};
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator,
};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::degradation::{blurred, jpeg};
use crate::kit::{Attack, Perturbed, SampleRng, Samples, TargetModel};

/// A corruption of 8-bit pictures that keeps their size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Corruption {
    /// Stored as a baseline JPEG of this quality, 1 to 100.
    Jpeg(u8),
    /// A Gaussian of this standard deviation, in pixels.
    Blur(f32),
    /// Normal noise of this standard deviation, in units of a pixel's range.
    Noise(f32),
    /// Scaled by this factor and back, by Catmull-Rom.
    Resize(f32),
    /// The middle of each side by this share, scaled back to the whole, by Catmull-Rom.
    Crop(f32),
    /// Multiplied by this.
    Brightness(f32),
}

impl Corruption {
    /// The usual grid: JPEG 90 to 30, blur 1 to 4, resize 0.5 and 0.75, noise, crop.
    #[must_use]
    pub fn grid() -> Vec<Self> {
        let jpeg = [90, 70, 50, 30].map(Self::Jpeg);
        let blur = [1.0, 2.0, 4.0].map(Self::Blur);
        let resize = [0.75, 0.5].map(Self::Resize);
        let noise = [0.02, 0.05].map(Self::Noise);
        let rest = [Self::Crop(0.75), Self::Brightness(0.7), Self::Brightness(1.3)];
        jpeg.into_iter().chain(blur).chain(resize).chain(noise).chain(rest).collect()
    }

    /// The corrupted picture.
    fn apply(self, image: RgbImage, rng: &mut SampleRng) -> RgbImage {
        let (width, height) = image.dimensions();
        let scaled = |side: u32, factor: f32| ((side as f32 * factor).round() as u32).max(1);
        let resize = |image: &RgbImage, width, height| {
            imageops::resize(image, width, height, FilterType::CatmullRom)
        };
        match self {
            Self::Jpeg(quality) => jpeg(image.into(), quality).into(),
            Self::Blur(sigma) => blurred(image.into(), sigma).into(),
            Self::Noise(sigma) => {
                let noise = rng.normal(image.len());
                changed(image, |i, level| level + 255.0 * sigma * noise[i])
            }
            Self::Resize(factor) => {
                let small = resize(&image, scaled(width, factor), scaled(height, factor));
                resize(&small, width, height)
            }
            Self::Crop(share) => {
                let share = share.min(1.0);
                let [narrow, low] = [scaled(width, share), scaled(height, share)];
                let [x, y] = [(width - narrow) / 2, (height - low) / 2];
                resize(&imageops::crop_imm(&image, x, y, narrow, low).to_image(), width, height)
            }
            Self::Brightness(factor) => changed(image, |_, level| factor * level),
        }
    }
}

/// Each byte as `change` computes it from its index and level, rounded and clamped.
fn changed(mut image: RgbImage, change: impl Fn(usize, f32) -> f32) -> RgbImage {
    for (i, byte) in image.iter_mut().enumerate() {
        *byte = change(i, f32::from(*byte)).round() as u8;
    }
    image
}

impl Attack for Corruption {
    fn name(&self) -> String {
        match self {
            Self::Jpeg(quality) => format!("JPEG {quality}"),
            Self::Blur(sigma) => format!("blur {sigma}"),
            Self::Noise(sigma) => format!("noise {sigma}"),
            Self::Resize(factor) => format!("resize {factor}"),
            Self::Crop(share) => format!("crop {share}"),
            Self::Brightness(factor) => format!("brightness {factor}"),
        }
    }

    fn perturb(
        &self,
        _target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let change = |(picture, &id): (Picture, &u64)| {
            Picture::from(self.apply(picture.into(), &mut SampleRng::new(seed, id, 0)))
        };
        let changed: Vec<Picture> = rgb8_from_tensor(samples.images.clone())
            .into_par_iter()
            .zip(samples.ids.par_iter())
            .map(change)
            .collect();
        let images = tensor_from_rgb8(&changed, &samples.images.device())?;
        Ok(Perturbed::without_queries(images))
    }
}
