//! The second decoder, at full size or at 1/2, 1/4 or 1/8.

use image::error::DecodingError;
use image::{ColorType, ImageError, ImageFormat};
use jpeg_decoder::PixelFormat;

use super::Jpeg;

/// Decoded pixels: their bytes, width, height and type.
pub(in crate::image) type Decoded = (Vec<u8>, u32, u32, ColorType);

impl Jpeg<'_> {
    /// The pixels at 1/`reduction` of the size, which is 1, 2, 4 or 8: of each block of 8x8 only
    /// the lowest frequencies are transformed.
    pub(in crate::image) fn decode(&self, reduction: u32) -> Result<Decoded, ImageError> {
        let broken =
            |source| ImageError::Decoding(DecodingError::new(ImageFormat::Jpeg.into(), source));
        let decode = || -> Result<_, jpeg_decoder::Error> {
            let mut decoder = jpeg_decoder::Decoder::new(self.bytes);
            decoder.read_info()?;
            if let (Some(info), 2..) = (decoder.info(), reduction) {
                let reduced = |side: u16| side.div_ceil(reduction as u16);
                decoder.scale(reduced(info.width), reduced(info.height))?;
            }
            let pixels = decoder.decode()?;
            let info = decoder.info().expect("a decoded picture has a header");
            Ok((pixels, info))
        };
        let (mut pixels, info) = decode().map_err(|source| broken(Box::new(source)))?;
        let color = match info.pixel_format {
            PixelFormat::L8 => ColorType::L8,
            PixelFormat::L16 => ColorType::L16,
            PixelFormat::RGB24 => ColorType::Rgb8,
            PixelFormat::CMYK32 => {
                rgb_from_cmyk(&mut pixels);
                ColorType::Rgb8
            }
        };
        Ok((pixels, info.width.into(), info.height.into(), color))
    }
}

/// RGB of CMYK `pixels`, written over them; 255 is full ink.
fn rgb_from_cmyk(pixels: &mut Vec<u8>) {
    let n_pixels = pixels.len() / 4;
    for pixel in 0..n_pixels {
        let [cyan, magenta, yellow, black] =
            [0, 1, 2, 3].map(|ink| 255 - u32::from(pixels[pixel * 4 + ink]));
        for (channel, light) in [cyan, magenta, yellow].into_iter().enumerate() {
            pixels[pixel * 3 + channel] = ((light * black + 127) / 255) as u8;
        }
    }
    pixels.truncate(n_pixels * 3);
}
