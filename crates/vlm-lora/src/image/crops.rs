//! Pictures as MC-LLaVA reads them: the whole and overlapping crops, each with its place.

use std::path::Path;

use cifake::Picture;

use super::config::PreprocessorConfig;
use super::enlargement::Enlargement;
use super::smart_resize::check_aspect_ratio;
use super::square::SquareProcessor;
use crate::error::Error;
use crate::source::Limits;

/// Side of a crop before it grows.
const CROP_SIZE: u32 = 384;
/// A crop begins half a crop after the one before.
const STRIDE_RATIO: u32 = 2;
/// By how much crops grow until there are few enough.
const GROWTH: u32 = 10;
/// The most crops that may be asked for: upstream's 728 tokens give each at least seven.
const MAX_CROPS: usize = 100;

/// A part of a picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// The column after the last.
    pub right: u32,
    /// The row after the last.
    pub bottom: u32,
    /// Its middle, x and y, as parts of the picture's width and height.
    pub middle: [f32; 2],
}

/// The crops of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Crops {
    /// `[crops, 3, side, side]`, normalized.
    pub values: Vec<f32>,
    /// Pixels of each side of the tower's input.
    pub side: usize,
    /// Middle of each crop, x and y in `[0, 1]`; the whole picture is the first.
    pub middles: Vec<[f32; 2]>,
}

/// MC-LLaVA's picture processor.
///
/// As `MultiCropImageProcessor` of visheratin/mc-llava at 7d7369d, whose coordinates are two
/// numbers as in the published 3b checkpoint; later commits use four and other crops. Upstream
/// answers the first of several pictures only, here each is answered; a picture more than 200
/// times as long as wide is an error.
#[derive(Debug, Clone, PartialEq)]
pub struct MultiCropProcessor {
    square: SquareProcessor,
    max_crops: usize,
}

impl Default for MultiCropProcessor {
    /// As published: SigLIP's normalization, bicubic, 384x384, and no crops but the whole.
    fn default() -> Self {
        Self { square: SquareProcessor::siglip(384), max_crops: 0 }
    }
}

impl MultiCropProcessor {
    /// The processor that a `preprocessor_config.json` describes; what it leaves out is as
    /// published.
    ///
    /// # Errors
    /// [`Error::ProcessorConfig`] for settings that are out of bounds or not supported.
    pub fn from_config(config: &PreprocessorConfig) -> Result<Self, Error> {
        let Self { square, max_crops } = Self::default();
        let square = SquareProcessor::of_classes(config, &["Siglip", "MultiCrop"], &square)?;
        Ok(Self { square, max_crops })
    }

    /// The processor that the `preprocessor_config.json` of a model's `folder` describes.
    ///
    /// # Errors
    /// As [`PreprocessorConfig::read`] and [`from_config`](Self::from_config).
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Self::from_config(&PreprocessorConfig::read(folder)?)
    }

    /// The same processor with at most `max_crops` crops beside the whole picture; 0 for none.
    ///
    /// # Errors
    /// [`Error::ProcessorConfig`] above 100.
    pub fn with_max_crops(mut self, max_crops: usize) -> Result<Self, Error> {
        if max_crops > MAX_CROPS {
            let reason = format!("{max_crops} crops are more than the limit of {MAX_CROPS}");
            return Err(Error::ProcessorConfig { path: None, reason });
        }
        self.max_crops = max_crops;
        Ok(self)
    }

    /// The maximum number of crops beside the whole picture.
    #[must_use]
    pub fn max_crops(&self) -> usize {
        self.max_crops
    }

    /// Pixels of each side of the tower's input.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.square.image_size()
    }

    /// The parts that the tower sees of a picture of `sides` (height, width): the whole, then crops
    /// column by column. A picture with both sides up to 576 has no crops. One whose crops outgrow
    /// its shorter side may have more than `max_crops`, as upstream, whose count is then 0 or less.
    ///
    /// # Errors
    /// [`Error::AspectRatio`] for a picture more than 200 times as long as wide; [`Error::Limit`] for
    /// more than 100 crops.
    ///
    /// # Panics
    /// If a side is 0.
    pub fn crops(&self, [height, width]: [u32; 2]) -> Result<Vec<Crop>, Error> {
        assert!(height > 0 && width > 0, "a picture of {width}x{height} holds no pixel");
        check_aspect_ratio([height, width])?;
        let whole = Crop { left: 0, top: 0, right: width, bottom: height, middle: [0.5; 2] };
        let mut crops = vec![whole];
        let least = CROP_SIZE + CROP_SIZE / STRIDE_RATIO;
        if self.max_crops == 0 || width.max(height) <= least {
            return Ok(crops);
        }
        let size = self.crop_size([height, width]);
        let (columns, rows) = (spans(width, size), spans(height, size));
        if columns.len() == 1 && rows.len() == 1 {
            return Ok(crops);
        }
        let found = (columns.len() * rows.len()) as u64;
        Limits::check("the number of crops", found, MAX_CROPS as u64)?;
        let middle =
            |[first, end]: [u32; 2], side| (f64::from(first + end) / 2.0 / f64::from(side)) as f32;
        for column in &columns {
            for row in &rows {
                let [left, right] = *column;
                let [top, bottom] = *row;
                let middle = [middle(*column, width), middle(*row, height)];
                crops.push(Crop { left, top, right, bottom, middle });
            }
        }
        Ok(crops)
    }

    /// The side of a crop at which there are at most `max_crops`.
    fn crop_size(&self, sides: [u32; 2]) -> u32 {
        let mut size = CROP_SIZE;
        loop {
            let [rows, columns] = sides.map(|side| steps(side, size));
            if rows * columns <= self.max_crops as i64 {
                return size;
            }
            size += GROWTH;
        }
    }

    /// The crops of `picture`, enlarged as `enlargement` says.
    ///
    /// # Errors
    /// As [`Enlargement::apply`] and [`crops`](Self::crops).
    pub fn process(&self, picture: &Picture, enlargement: Enlargement) -> Result<Crops, Error> {
        let picture = enlargement.apply(picture)?;
        let crops = self.crops([picture.height(), picture.width()])?;
        let parts: Vec<Picture> = crops.iter().map(|crop| cut(&picture, crop)).collect();
        let values = self.square.values(&parts);
        let middles = crops.iter().map(|crop| crop.middle).collect();
        Ok(Crops { values, side: self.image_size(), middles })
    }
}

/// Crops of `size` along a side, by upstream's formula, which falls to -1 where the crop is larger.
fn steps(side: u32, size: u32) -> i64 {
    let (side, size) = (i64::from(side), i64::from(size));
    (side - size).div_euclid(size / i64::from(STRIDE_RATIO)) + 1
}

/// First and end of each crop of `size` along a side; the last reaches to the side's end.
fn spans(side: u32, size: u32) -> Vec<[u32; 2]> {
    let stride = size / STRIDE_RATIO;
    let n_steps = u32::try_from(steps(side, size)).unwrap_or(1).max(1);
    let mut spans: Vec<_> = (0..n_steps).map(|i| [i * stride, i * stride + size]).collect();
    if let Some(last) = spans.last_mut() {
        last[1] = side;
    }
    spans
}

fn cut(picture: &Picture, crop: &Crop) -> Picture {
    let (left, right) = (crop.left as usize * 3, crop.right as usize * 3);
    let rows = picture.pixels().chunks_exact(picture.width() as usize * 3);
    let rows = rows.take(crop.bottom as usize).skip(crop.top as usize);
    let pixels = rows.flat_map(|row| &row[left..right]).copied().collect();
    Picture::new(pixels, crop.right - crop.left, crop.bottom - crop.top)
        .expect("a crop lies inside its picture and is not empty")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn processor(max_crops: usize) -> MultiCropProcessor {
        MultiCropProcessor::default().with_max_crops(max_crops).expect("in bounds")
    }

    fn rectangles(crops: &[Crop]) -> Vec<[u32; 4]> {
        crops.iter().map(|crop| [crop.left, crop.top, crop.right, crop.bottom]).collect()
    }

    #[test]
    fn up_to_576_only_the_whole_is_seen() {
        for sides in [[32, 32], [576, 576], [1, 200]] {
            let crops = processor(50).crops(sides).expect("no strip");
            assert_eq!(rectangles(&crops), [[0, 0, sides[1], sides[0]]]);
            assert_eq!(crops[0].middle, [0.5, 0.5]);
        }
        assert_eq!(processor(0).crops([2000, 2000]).expect("square").len(), 1);
    }

    #[test]
    fn crops_overlap_by_half_and_run_column_by_column() {
        let crops = processor(50).crops([400, 800]).expect("no strip");
        // floor((800 - 384) / 192) + 1 = 3 columns, one row that is as high as the picture.
        assert_eq!(
            rectangles(&crops),
            [[0, 0, 800, 400], [0, 0, 384, 400], [192, 0, 576, 400], [384, 0, 800, 400]]
        );
        assert_eq!(crops[3].middle, [0.74, 0.5]);
        let crops = processor(50).crops([600, 600]).expect("square");
        let tops: Vec<[u32; 2]> = crops[1..].iter().map(|crop| [crop.left, crop.top]).collect();
        assert_eq!(tops, [[0, 0], [0, 192], [192, 0], [192, 192]]);
    }

    #[test]
    fn crops_grow_until_there_are_few_enough() {
        let crops = processor(4).crops([1000, 1000]).expect("square");
        assert_eq!(crops.len(), 5);
        // 504 is the first of 384, 394, ... with floor((1000 - size) / (size / 2)) + 1 = 2.
        assert_eq!(crops[1].right, 504);
        assert_eq!(processor(1).crops([1000, 1000]).expect("square").len(), 1);
    }

    #[test]
    fn a_picture_lower_than_a_crop_is_shown_at_its_full_height() {
        let crops = processor(20).crops([32, 1000]).expect("no strip");
        assert!(crops.iter().all(|crop| crop.top == 0 && crop.bottom == 32));
        assert_eq!(crops.len(), 5);
    }

    #[test]
    fn strips_are_errors() {
        for sides in [[1, 20_000], [20_000, 1]] {
            let refused = processor(10).crops(sides);
            assert!(matches!(refused, Err(Error::AspectRatio { .. })));
        }
        assert!(matches!(processor(10).crops([29_988, 150]), Err(Error::Limit { .. })));
    }

    #[test]
    fn the_whole_comes_first_and_planes_are_channels() {
        let pixels = (0..600 * 300).flat_map(|at: u32| [(at % 600 / 3) as u8, 128, 255]).collect();
        let picture = Picture::new(pixels, 600, 300).expect("600x300");
        let crops = processor(50).process(&picture, Enlargement::Off).expect("no strip");
        assert_eq!(crops.middles[0], [0.5, 0.5]);
        assert_eq!(crops.values.len(), crops.middles.len() * 3 * 384 * 384);
        let plane = 384 * 384;
        assert!(
            crops.values[plane..2 * plane].iter().all(|value| (value - 1.0 / 255.0).abs() < 1e-6)
        );
        assert!(crops.values[2 * plane..3 * plane].iter().all(|value| *value == 1.0));
    }

    proptest! {
        #[test]
        fn any_size_gives_crops_inside_the_picture_or_an_error(
            height in 1..60_000_u32, width in 1..60_000_u32, max_crops in 0..100_usize,
        ) {
            if let Ok(crops) = processor(max_crops).crops([height, width]) {
                let most = if height == width { max_crops } else { MAX_CROPS };
                prop_assert!(crops.len() <= 1 + most);
                for crop in crops {
                    prop_assert!(crop.left < crop.right && crop.right <= width);
                    prop_assert!(crop.top < crop.bottom && crop.bottom <= height);
                    prop_assert!(crop.middle.iter().all(|part| (0.0..=1.0).contains(part)));
                }
            }
        }
    }
}
