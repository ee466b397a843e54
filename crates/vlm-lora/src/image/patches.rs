//! Pictures as Qwen2-VL's vision tower reads them: rows of flattened patches.

use std::fmt;
use std::path::Path;

use cifake::{Filter, Picture};

use super::config::PreprocessorConfig;
use super::enlargement::Enlargement;
use super::normalization::Normalization;
use super::smart_resize::smart_resize;
use crate::error::Error;

/// transformers' default of `max_pixels`.
const DEFAULT_MAX_PIXELS: u64 = 28 * 28 * 1280;
/// The most tokens that a picture may become: those of the published 12,845,056 pixels.
const MAX_TOKENS: u64 = 1 << 14;
/// The most tokens that a small picture may be enlarged to.
const MAX_LEAST_TOKENS: u64 = 1 << 12;
/// The most pictures of one prompt.
pub(crate) const MAX_PICTURES: usize = 64;

/// The number of patches of a picture in each direction, before they are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Pairs of frames: 1 for a picture.
    pub time: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Grid {
    /// Patches of the picture.
    #[must_use]
    pub fn n_patches(self) -> usize {
        self.time * self.height * self.width
    }

    /// Tokens of the language model, where `merge` x `merge` patches become one.
    #[must_use]
    pub fn n_tokens(self, merge: usize) -> usize {
        self.time * (self.height / merge) * (self.width / merge)
    }
}

/// The form of patches, in which a processor and a tower must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatchForm {
    /// Pixels of a side.
    pub patch_size: usize,
    /// Frames.
    pub temporal_patch_size: usize,
    /// Patches of a side of a block that becomes one token.
    pub merge_size: usize,
}

impl PatchForm {
    /// Values of a patch: three of each of its pixels in each of its frames.
    #[must_use]
    pub fn patch_len(self) -> usize {
        3 * self.temporal_patch_size * self.patch_size * self.patch_size
    }
}

impl fmt::Display for PatchForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { patch_size, temporal_patch_size, merge_size } = self;
        write!(f, "{patch_size} pixels, {temporal_patch_size} frames, {merge_size} merged")
    }
}

/// The patches of the pictures of one prompt, one after another.
#[derive(Debug, Clone, PartialEq)]
pub struct Patches {
    /// `[patches, patch_len]`, normalized. A patch is `[channel, frame, row, column]`; patches run
    /// by merged blocks, row by row, and inside a block row by row again.
    pub values: Vec<f32>,
    /// The form of a patch.
    pub form: PatchForm,
    /// One a picture.
    pub grids: Vec<Grid>,
}

/// Qwen2-VL's picture processor.
///
/// The numbers are those of transformers' `Qwen2VLImageProcessor` in its slow form, which uses
/// Pillow. The fast form resizes floating-point tensors and differs in the last bits.
#[derive(Debug, Clone, PartialEq)]
pub struct Qwen2VlProcessor {
    normalization: Normalization,
    interpolation: Filter,
    patch_size: u32,
    temporal_patch_size: u32,
    merge_size: u32,
    pixels: (u64, u64),
}

impl Default for Qwen2VlProcessor {
    /// As the published Qwen2-VL models: CLIP's normalization, bicubic, patches of 14x14 and two
    /// frames, 2x2 merged, 3,136 to 12,845,056 pixels.
    fn default() -> Self {
        Self {
            normalization: Normalization::clip(),
            interpolation: Filter::Bicubic,
            patch_size: 14,
            temporal_patch_size: 2,
            merge_size: 2,
            pixels: (3136, 12_845_056),
        }
    }
}

impl Qwen2VlProcessor {
    /// The processor that a `preprocessor_config.json` describes; what it leaves out is transformers'
    /// default, which differs from what is published in the most pixels, 1,003,520.
    ///
    /// # Errors
    /// [`Error::ProcessorConfig`] for settings that are out of bounds or not supported.
    pub fn from_config(config: &PreprocessorConfig) -> Result<Self, Error> {
        let published = Self::default();
        config.check_class(&["Qwen2VLImageProcessor"])?;
        let processor = Self {
            normalization: config.normalization(&published.normalization)?,
            interpolation: config.interpolation()?,
            patch_size: config.patch_size.unwrap_or(14),
            temporal_patch_size: config.temporal_patch_size.unwrap_or(2),
            merge_size: config.merge_size.unwrap_or(2),
            pixels: config.pixels((published.pixels.0, DEFAULT_MAX_PIXELS))?,
        };
        let bounds = [
            ("patch_size", processor.patch_size, 64),
            ("temporal_patch_size", processor.temporal_patch_size, 8),
            ("merge_size", processor.merge_size, 8),
        ];
        for (name, value, limit) in bounds {
            if !(1..=limit).contains(&value) {
                return Err(config.refused(format!("`{name}` is {value}, not of 1 to {limit}")));
            }
        }
        processor.check_pixels().map_err(|reason| config.refused(reason))?;
        Ok(processor)
    }

    /// The processor that the `preprocessor_config.json` of a model's `folder` describes.
    ///
    /// # Errors
    /// As [`PreprocessorConfig::read`] and [`from_config`](Self::from_config).
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Self::from_config(&PreprocessorConfig::read(folder)?)
    }

    /// The same processor with other bounds on the pixels of a picture: 784 pixels are a token of
    /// the language model.
    ///
    /// # Errors
    /// [`Error::ProcessorConfig`] unless `0 < least <= most`, `least` at most 4,096 tokens and `most` at most
    /// 16,384, which is what the published models have.
    pub fn with_pixels(mut self, least: u64, most: u64) -> Result<Self, Error> {
        self.pixels = (least, most);
        self.check_pixels().map_err(|reason| Error::ProcessorConfig { path: None, reason })?;
        Ok(self)
    }

    fn check_pixels(&self) -> Result<(), String> {
        let (least, most) = self.pixels;
        let token = u64::from(self.patch_size * self.merge_size).pow(2);
        let [highest_least, highest] = [MAX_LEAST_TOKENS, MAX_TOKENS].map(|n| n * token);
        match least > 0 && least <= most && least <= highest_least && most <= highest {
            true => Ok(()),
            false => Err(format!(
                "min_pixels {least} and max_pixels {most} do not hold 0 < min <= max, min <= \
                 {highest_least} and max <= {highest}"
            )),
        }
    }

    /// Patches of a side of a block that becomes one token.
    #[must_use]
    pub fn merge_size(&self) -> usize {
        self.merge_size as usize
    }

    /// The form of its patches.
    #[must_use]
    pub fn form(&self) -> PatchForm {
        PatchForm {
            patch_size: self.patch_size as usize,
            temporal_patch_size: self.temporal_patch_size as usize,
            merge_size: self.merge_size as usize,
        }
    }

    /// Height and width at which a picture of `sides` (height, width) is looked at.
    ///
    /// # Errors
    /// [`Error::AspectRatio`].
    pub fn size(&self, sides: [u32; 2]) -> Result<[u32; 2], Error> {
        smart_resize(sides, self.patch_size * self.merge_size, self.pixels)
    }

    /// The patches of a picture of `sides` (height, width).
    ///
    /// # Errors
    /// [`Error::AspectRatio`].
    pub fn grid(&self, sides: [u32; 2]) -> Result<Grid, Error> {
        let [height, width] = self.size(sides)?.map(|side| (side / self.patch_size) as usize);
        Ok(Grid { time: 1, height, width })
    }

    /// Tokens that the language model gets of a picture of `sides` (height, width).
    ///
    /// # Errors
    /// [`Error::AspectRatio`].
    pub fn n_tokens(&self, sides: [u32; 2]) -> Result<usize, Error> {
        Ok(self.grid(sides)?.n_tokens(self.merge_size()))
    }

    /// The patches of `pictures`, each enlarged as `enlargement` says.
    ///
    /// # Errors
    /// [`Error::TooManyPictures`] above 64; as [`Enlargement::apply`] and [`size`](Self::size).
    pub fn process(
        &self,
        pictures: &[Picture],
        enlargement: Enlargement,
    ) -> Result<Patches, Error> {
        if pictures.len() > MAX_PICTURES {
            return Err(Error::TooManyPictures { found: pictures.len(), limit: MAX_PICTURES });
        }
        let table = self.normalization.table();
        let mut patches = Patches { values: Vec::new(), form: self.form(), grids: Vec::new() };
        for picture in pictures {
            let picture = enlargement.apply(picture)?;
            let sides = [picture.height(), picture.width()];
            let [height, width] = self.size(sides)?;
            let picture = picture.resized_as_pillow(width, height, self.interpolation);
            self.flatten(&picture, &table, &mut patches.values);
            patches.grids.push(self.grid(sides)?);
        }
        Ok(patches)
    }

    /// Appends the patches of a picture whose sides are multiples of a merged block's.
    ///
    /// The order is upstream's transposition (0, 3, 6, 4, 7, 2, 1, 5, 8). It applies to (time,
    /// frame, channel, block row, row in block, y, block column, column in block, x).
    fn flatten(&self, picture: &Picture, table: &[[f32; 256]; 3], out: &mut Vec<f32>) {
        let (patch, merge) = (self.patch_size as usize, self.merge_size as usize);
        let width = picture.width() as usize;
        let (pixels, _) = picture.pixels().as_chunks::<3>();
        let block = patch * merge;
        out.reserve(pixels.len() * 3 * self.temporal_patch_size as usize);
        for top in (0..picture.height() as usize).step_by(block) {
            for left in (0..width).step_by(block) {
                for at in 0..merge * merge {
                    let (top, left) = (top + at / merge * patch, left + at % merge * patch);
                    for (channel, table) in table.iter().enumerate() {
                        // A picture is shown as so many equal frames.
                        for _ in 0..self.temporal_patch_size {
                            for y in top..top + patch {
                                let row = &pixels[y * width + left..][..patch];
                                out.extend(row.iter().map(|p| table[usize::from(p[channel])]));
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        let pixels = (0..width * height * 3).map(|at| (at % 251) as u8).collect();
        Picture::new(pixels, width, height).expect("three bytes a pixel")
    }

    #[test]
    fn tokens_are_the_published_ones() {
        let processor = Qwen2VlProcessor::default();
        assert_eq!(processor.n_tokens([32, 32]).expect("square"), 4);
        assert_eq!(processor.n_tokens([224, 224]).expect("square"), 64);
        let generous = processor.with_pixels(256 * 28 * 28, 1280 * 28 * 28).expect("in bounds");
        assert_eq!(generous.n_tokens([32, 32]).expect("square"), 256);
    }

    #[test]
    fn two_pictures_stand_one_after_another() {
        let processor = Qwen2VlProcessor::default();
        let [first, second] = [picture(32, 32), picture(100, 56)];
        let both = processor.process(&[first.clone(), second.clone()], Enlargement::Off);
        let both = both.expect("ordinary pictures");
        let (height, width) = (4, 8);
        assert_eq!(both.grids[1], Grid { time: 1, height, width });
        let alone =
            |p: Picture| processor.process(&[p], Enlargement::Off).expect("ordinary").values;
        assert_eq!(both.values, [alone(first), alone(second)].concat());
        assert_eq!(
            both.values.len(),
            both.grids.iter().map(|g| g.n_patches()).sum::<usize>() * 1176
        );
    }

    #[test]
    fn the_second_patch_is_the_first_ones_right_neighbour_and_the_third_stands_below() {
        let processor = Qwen2VlProcessor {
            patch_size: 2,
            temporal_patch_size: 1,
            normalization: Normalization { rescale: 1.0, mean: [0.0; 3], deviation: [1.0; 3] },
            ..Qwen2VlProcessor::default()
        };
        let pixels = (0..8 * 4).flat_map(|at| [at, 100 + at, 200]).collect();
        let picture = Picture::new(pixels, 8, 4).expect("8x4");
        let mut values = Vec::new();
        processor.flatten(&picture, &processor.normalization.table(), &mut values);
        let reds: Vec<f32> = values.chunks_exact(12).map(|patch| patch[0]).collect();
        assert_eq!(reds, [0.0, 2.0, 16.0, 18.0, 4.0, 6.0, 20.0, 22.0]);
        assert_eq!(values[..12], [0., 1., 8., 9., 100., 101., 108., 109., 200., 200., 200., 200.]);
    }

    #[test]
    fn too_many_pictures_are_an_error() {
        let refused =
            Qwen2VlProcessor::default().process(&vec![picture(1, 1); 65], Enlargement::Off);
        assert!(matches!(refused, Err(Error::TooManyPictures { found: 65, limit: 64 })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_picture_gives_patches_or_an_error(
            height in 1..700_u32, width in 1..700_u32, side in 0..900_u32, how in 0..3_u8,
        ) {
            let interpolation = Filter::Bicubic;
            let enlargement = match how {
                0 => Enlargement::Off,
                1 => Enlargement::Upscaled { shorter_side: side, interpolation },
                _ => Enlargement::Canvas { side, ground: [1, 2, 3] },
            };
            let processor = Qwen2VlProcessor::default().with_pixels(784, 784 * 64).expect("bounds");
            if let Ok(patches) = processor.process(&[picture(width, height)], enlargement) {
                prop_assert_eq!(patches.values.len(), patches.grids[0].n_patches() * 1176);
                prop_assert!(patches.values.iter().all(|value| value.is_finite()));
            }
        }
    }
}
