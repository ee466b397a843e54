//! RGB pixels.

use image::codecs::png::PngEncoder;
use image::{ColorType, ExtendedColorType, ImageEncoder};

use super::PictureError;
use super::color::rgb8_from_decoded;
use crate::Error;

/// 8-bit RGB pixels, row by row, `height * width * 3` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub(super) pixels: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
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
