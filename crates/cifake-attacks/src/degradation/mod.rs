//! Degradations: what programs and networks do to pictures, by name and strength.

mod codec;
mod evaluate;
mod kind;
mod name;
mod pixel;

use cifake::{Filter, Picture, rgb8_from_tensor, tensor_from_rgb8};
use rand::RngExt;
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator,
};
use serde::{Deserialize, Serialize};

pub(crate) use codec::jpeg;
pub use evaluate::{DegradationReport, DegradedRow, evaluate_degradations};
pub use kind::DegradationKind;
pub(crate) use pixel::blurred;

use crate::Error;
use crate::kit::{Attack, Perturbed, SampleRng, Samples, TargetModel};

/// Factor of [`Degradation::Screenshot`] in the suite.
const SCREENSHOT_FACTOR: f32 = 4.3;
/// JPEG quality of a screenshot.
const SCREENSHOT_QUALITY: u8 = 85;
/// Pixels that a screenshot loses of each side of the enlarged picture.
const SCREENSHOT_MARGIN: u32 = 7;
/// Largest factor of enlargement.
const MAX_FACTOR: f32 = 16.0;
/// Longest side of an enlarged picture, in pixels; it bounds the memory.
const MAX_ENLARGED_SIDE: u32 = 4096;

/// A degradation of 8-bit pictures that keeps their size.
///
/// If the size changes in between, [`Picture::fitted`] restores it, as the detector does for pictures of
/// other sizes. In JSON and TOML the field `kind` names the degradation, such as
/// `{ kind = "enlarge", factor = 2.0, filter = "bicubic" }`. On command lines it is `enlarge-x2-bicubic`.
///
/// ```
/// use cifake::Picture;
/// use cifake_attacks::Degradation;
///
/// let picture = Picture::new(vec![90; 40 * 30 * 3], 40, 30)?;
/// let jpeg: Degradation = "jpeg-75".parse()?;
/// let changed = jpeg.apply(picture, 1, 7);
/// assert_eq!((changed.width(), changed.height()), (40, 30));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Degradation {
    /// Enlarged, then reduced to the old size.
    Enlarge {
        /// Of each side, 1 to 16; a side grows to at most 4,096 pixels.
        factor: f32,
        /// The filter of the enlargement.
        filter: Filter,
    },
    /// Stored as a baseline JPEG without chroma subsampling.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
    /// Stored as a lossy WebP, method 4.
    Webp {
        /// 1 to 100.
        quality: u8,
    },
    /// Blurred by a Gaussian.
    Blur {
        /// Standard deviation in pixels, 0.1 to 10.
        sigma: f32,
    },
    /// A square at a random place, enlarged to the full size.
    Crop {
        /// Side of the square in pixels. A shorter side of the picture is kept whole.
        side: u32,
    },
    /// Normal noise in each channel.
    Noise {
        /// Standard deviation in levels of a byte, 0 to 255.
        sigma: f32,
    },
    /// Each level multiplied.
    Brightness {
        /// 1 leaves the picture as it is; 0 to 10.
        factor: f32,
    },
    /// Each level's distance from the mean luma, multiplied.
    Contrast {
        /// 1 leaves the picture as it is; 0 to 10.
        factor: f32,
    },
    /// The luma of ITU-R BT.601 in every channel.
    Grey,
    /// Turned clockwise.
    QuarterTurns {
        /// 1 to 3 quarters of a turn; any other number counts modulo 4.
        turns: u8,
    },
    /// Left and right exchanged.
    Mirror,
    /// Enlarged (bilinear), cropped by a few pixels at a random place, stored as a JPEG of quality 85,
    /// then reduced to the old size.
    Screenshot {
        /// Of each side, 1 to 16; a side grows to at most 4,096 pixels.
        factor: f32,
    },
}

impl Degradation {
    /// The degradations of an evaluation: enlarging by 2 and 7 with four filters, JPEG, WebP, blur, crops of
    /// pictures of 32x32, noise, brightness, contrast, grey, turns, mirroring and a screenshot.
    #[must_use]
    pub fn suite() -> Vec<Self> {
        let filters = [Filter::Bicubic, Filter::Bilinear, Filter::Lanczos, Filter::Nearest];
        let enlarged = |factor| filters.map(|filter| Self::Enlarge { factor, filter });
        let mut suite = [enlarged(2.0), enlarged(7.0)].concat();
        suite.extend([90, 75, 50, 40].map(|quality| Self::Jpeg { quality }));
        suite.push(Self::Webp { quality: 80 });
        suite.extend([0.5, 1.0].map(|sigma| Self::Blur { sigma }));
        suite.extend([28, 24].map(|side| Self::Crop { side }));
        suite.push(Self::Noise { sigma: 4.0 });
        suite.extend([1.2, 0.8].map(|factor| Self::Brightness { factor }));
        suite.extend([1.2, 0.8].map(|factor| Self::Contrast { factor }));
        suite.push(Self::Grey);
        suite.extend([1, 2, 3].map(|turns| Self::QuarterTurns { turns }));
        suite.extend([Self::Mirror, Self::Screenshot { factor: SCREENSHOT_FACTOR }]);
        suite
    }

    /// The degraded picture, a function of the seed and of the sample's `id`.
    ///
    /// No number fails. A factor of enlargement or a quality outside its range is clamped. A blur below
    /// its range leaves the picture unchanged, and so does a format that cannot hold it: sides have at
    /// most 16,383 pixels in WebP and 65,535 in JPEG.
    #[must_use]
    pub fn apply(&self, picture: Picture, seed: u64, id: u64) -> Picture {
        let (width, height) = (picture.width(), picture.height());
        if width == 0 || height == 0 {
            return picture;
        }
        let rng = &mut SampleRng::new(seed, id, 0);
        let changed = match *self {
            Self::Enlarge { factor, filter } => enlarged(&picture, factor, filter),
            Self::Jpeg { quality } => codec::jpeg(picture, quality),
            Self::Webp { quality } => codec::webp(picture, quality),
            Self::Blur { sigma } => pixel::blurred(picture, sigma),
            Self::Crop { side } => cut(&picture, [side, side], rng),
            Self::Noise { sigma } => pixel::noisy(picture, sigma, rng),
            Self::Brightness { factor } => pixel::brightened(picture, factor),
            Self::Contrast { factor } => pixel::contrasted(picture, factor),
            Self::Grey => pixel::grey(picture),
            Self::QuarterTurns { turns } => pixel::turned(picture, turns),
            Self::Mirror => pixel::mirrored(picture),
            Self::Screenshot { factor } => {
                let shown = enlarged(&picture, factor, Filter::Bilinear);
                let shorter = |side: u32| side.saturating_sub(SCREENSHOT_MARGIN).max(1);
                let sides = [shorter(shown.width()), shorter(shown.height())];
                codec::jpeg(cut(&shown, sides, rng), SCREENSHOT_QUALITY)
            }
        };
        changed.fitted(width, height).0
    }
}

/// `picture` with sides of `factor` times as many pixels.
fn enlarged(picture: &Picture, factor: f32, filter: Filter) -> Picture {
    let factor = if factor.is_nan() { 1.0 } else { f64::from(factor.clamp(1.0, MAX_FACTOR)) };
    let longer = |side: u32| {
        let wanted = (f64::from(side) * factor).round() as u32;
        wanted.min(MAX_ENLARGED_SIDE).max(side)
    };
    picture.resized(longer(picture.width()), longer(picture.height()), filter)
}

/// A part of `picture` at a random place, of at most `[width, height]` pixels.
fn cut(picture: &Picture, [width, height]: [u32; 2], rng: &mut SampleRng) -> Picture {
    let width = width.clamp(1, picture.width());
    let height = height.clamp(1, picture.height());
    let left = rng.random_range(0..=picture.width() - width) as usize;
    let top = rng.random_range(0..=picture.height() - height) as usize;
    let rows = picture.pixels().chunks_exact(picture.width() as usize * 3);
    let inside = left * 3..(left + width as usize) * 3;
    let part: Vec<u8> = rows
        .skip(top)
        .take(height as usize)
        .flat_map(|row| row[inside.clone()].iter().copied())
        .collect();
    Picture::new(part, width, height).expect("a part of the stated size was copied")
}

impl Attack for Degradation {
    fn name(&self) -> String {
        self.to_string()
    }

    fn perturb(
        &self,
        _target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error> {
        let changed: Vec<Picture> = rgb8_from_tensor(samples.images.clone())
            .into_par_iter()
            .zip(samples.ids.par_iter())
            .map(|(picture, &id)| self.apply(picture, seed, id))
            .collect();
        let images = tensor_from_rgb8(&changed, &samples.images.device())?;
        Ok(Perturbed::without_queries(images))
    }
}

#[cfg(test)]
mod tests;
