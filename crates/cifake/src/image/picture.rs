//! RGB pixels and how they are brought to the size that a model sees.

use image::codecs::png::PngEncoder;
use image::{ColorType, ExtendedColorType, ImageEncoder};
use serde::{Deserialize, Serialize};

use super::color::rgb8_from_decoded;
use super::{Filter, PictureError};
use crate::Error;

/// 8-bit RGB pixels, row by row, `height * width * 3` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub(super) pixels: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// How a picture was brought to the size that a model sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputFit {
    /// It had that size, and its pixels are untouched.
    Native,
    /// The whole of it was resized.
    Resized,
}

impl InputFit {
    /// `"native"` or `"resized"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Resized => "resized",
        }
    }
}

impl Picture {
    /// A picture of `pixels`, RGB, row by row.
    ///
    /// Fails if a side is 0 or `pixels` are not `height * width * 3` bytes.
    pub fn new(pixels: Vec<u8>, width: u32, height: u32) -> Result<Self, Error> {
        let expected = u64::from(width) * u64::from(height) * 3;
        if expected == 0 || pixels.len() as u64 != expected {
            return Err(PictureError::PixelCount { width, height, n_bytes: pixels.len() }.into());
        }
        Ok(Self { pixels, width, height })
    }

    /// RGB, row by row, `height * width * 3` bytes.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels without the size.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The picture as the bytes of a PNG file, which loses nothing.
    #[must_use]
    pub fn to_png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&self.pixels, self.width, self.height, ExtendedColorType::Rgb8)
            .expect("memory takes every byte of a picture of the stated size");
        bytes
    }

    /// The picture at `width` x `height`, as a model sees it.
    ///
    /// A picture of that size is left untouched. Of any other, the whole is resized without regard
    /// to its aspect ratio, by a Lanczos filter of three lobes whose support grows with the
    /// reduction, so that fine detail does not alias; nothing is cropped, because what a crop cuts
    /// away may be what gives a picture away. How CIFAR-10 was reduced to 32x32 is not documented
    /// pixel for pixel, and no filter restores the traces that a generator leaves at native size:
    /// a verdict on a resized picture is worth less than one on a native picture, and
    /// [`InputFit`] says which it was.
    ///
    /// # Panics
    /// If `width` or `height` is 0, or the picture is empty, as one made of an empty
    /// [`image::RgbImage`] is.
    #[must_use]
    pub fn fitted(self, width: u32, height: u32) -> (Self, InputFit) {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
        if (self.width, self.height) == (width, height) {
            return (self, InputFit::Native);
        }
        (self.resized(width, height, Filter::Lanczos), InputFit::Resized)
    }
}

impl From<image::DynamicImage> for Picture {
    /// The pixels as a [`Decoder`](crate::Decoder) would put them out: 16 bits rounded to 8, alpha
    /// composited over white. An orientation is none of the pixels' business and not applied.
    fn from(image: image::DynamicImage) -> Self {
        let image = match image.color() {
            ColorType::Rgb32F => image.into_rgb8().into(),
            ColorType::Rgba32F => image.into_rgba8().into(),
            _ => image,
        };
        let (width, height, color) = (image.width(), image.height(), image.color());
        let pixels = rgb8_from_decoded(image.into_bytes(), color)
            .expect("integer pixels of one, two, three or four channels are converted");
        Self { pixels, width, height }
    }
}

impl From<&image::DynamicImage> for Picture {
    /// As of an owned image.
    fn from(image: &image::DynamicImage) -> Self {
        image.clone().into()
    }
}

impl From<&image::RgbImage> for Picture {
    fn from(image: &image::RgbImage) -> Self {
        image.clone().into()
    }
}

impl From<&Picture> for Picture {
    fn from(picture: &Picture) -> Self {
        picture.clone()
    }
}

impl From<image::RgbImage> for Picture {
    fn from(image: image::RgbImage) -> Self {
        let (width, height) = image.dimensions();
        Self { pixels: image.into_raw(), width, height }
    }
}

impl From<Picture> for image::RgbImage {
    fn from(picture: Picture) -> Self {
        Self::from_raw(picture.width, picture.height, picture.pixels)
            .expect("a picture holds height * width * 3 bytes")
    }
}

/// Mean over the pixels of (largest - smallest channel) below which a picture is near grey.
const NEAR_GREY_SPREAD: f64 = 6.0;

/// Whether RGB `pixels` are almost without color: the spread between the largest and the smallest
/// channel of a pixel, averaged over the picture, is below 6 of 255 levels.
///
/// A shortcut to audit: such pictures are far more frequent among CIFAKE's FAKE than its REAL.
#[must_use]
pub fn is_near_grey(pixels: &[u8]) -> bool {
    let (pixels, _) = pixels.as_chunks::<3>();
    let spread: u64 =
        pixels.iter().map(|[r, g, b]| u64::from(r.max(g).max(b) - r.min(g).min(b))).sum();
    (spread as f64) < NEAR_GREY_SPREAD * pixels.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_the_target_size_is_untouched() {
        let picture = Picture::new((0..18).collect(), 3, 2).expect("3x2");
        assert_eq!(picture.clone().fitted(3, 2), (picture, InputFit::Native));
    }

    #[test]
    fn a_resized_picture_keeps_left_right_top_and_bottom() {
        // 4 wide, 2 high; left half red, right half blue, lower row brighter.
        let row = |level: u8| [[level, 0, 0], [level, 0, 0], [0, 0, level], [0, 0, level]];
        let pixels = [row(100), row(200)].concat().concat();
        let (small, fit) = Picture::new(pixels, 4, 2).expect("4x2").fitted(2, 2);
        assert_eq!(fit, InputFit::Resized);
        assert_eq!((small.width(), small.height()), (2, 2));
        let [top_left, top_right, bottom_left, _] = small.pixels().as_chunks::<3>().0 else {
            panic!("four pixels")
        };
        assert!(top_left[0] > 80 && top_left[2] < 20, "{top_left:?}");
        assert!(top_right[2] > 80 && top_right[0] < 20, "{top_right:?}");
        assert!(bottom_left[0] > 170, "{bottom_left:?}");
    }

    #[test]
    fn a_flat_picture_of_any_size_stays_flat() {
        for (width, height) in [(1, 1), (1, 300), (640, 3), (33, 31)] {
            let pixels = [10, 120, 250].repeat((width * height) as usize);
            let picture = Picture::new(pixels, width, height).expect("flat");
            let (small, _) = picture.fitted(32, 32);
            assert!(small.pixels().as_chunks().0.iter().all(|pixel| *pixel == [10, 120, 250]));
        }
    }

    #[test]
    fn fine_stripes_are_averaged_not_sampled() {
        let pixels: Vec<u8> =
            (0..320 * 320).flat_map(|at| [if at % 2 == 0 { 0 } else { 255 }; 3]).collect();
        let (small, _) = Picture::new(pixels, 320, 320).expect("320x320").fitted(32, 32);
        let inner = |at: usize| (1..31).contains(&(at % 32)) && (1..31).contains(&(at / 32));
        let levels = small.pixels().as_chunks::<3>().0.iter().enumerate();
        let inner = levels.filter(|(at, _)| inner(*at)).map(|(_, pixel)| pixel[0]);
        assert!(inner.clone().all(|level| (120..=135).contains(&level)), "{:?}", inner.max());
    }

    #[test]
    fn a_wrong_number_of_pixels_is_an_error() {
        assert!(Picture::new(vec![0; 17], 3, 2).is_err());
        assert!(Picture::new(vec![], 0, 2).is_err());
    }

    #[test]
    fn an_image_in_memory_is_composited_over_white() {
        let see_through = image::RgbaImage::from_pixel(2, 3, image::Rgba([9, 9, 9, 0]));
        let picture = Picture::from(image::DynamicImage::from(see_through));
        assert_eq!(picture, Picture::new(vec![255; 18], 2, 3).expect("2x3"));
        let deep =
            image::DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(1, 1, [385].into()));
        assert_eq!(Picture::from(&deep).pixels(), [1; 3]);
        let floats = image::DynamicImage::ImageRgb32F(image::ImageBuffer::from_pixel(
            1,
            1,
            image::Rgb([0.0, 1.0, 0.5]),
        ));
        assert_eq!(Picture::from(floats).pixels(), [0, 255, 128]);
    }

    #[test]
    fn grey_is_near_grey_and_a_color_is_not() {
        assert!(is_near_grey(&[90, 93, 95].repeat(4)));
        assert!(!is_near_grey(&[90, 95, 97].repeat(4)));
    }
}
