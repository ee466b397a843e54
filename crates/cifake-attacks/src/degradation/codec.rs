//! Lossy formats: encoding and decoding.

use cifake::Picture;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageError, ImageFormat, RgbImage};
use webp_rust::{ImageBuffer, LossyEncodingConfig};

/// Effort of the WebP encoder, libwebp's default: pictures of 32x32 need the prediction by blocks
/// of 4x4 that it begins with.
const WEBP_METHOD: u8 = 4;

/// `picture` after a baseline JPEG of `quality`.
pub(crate) fn jpeg(picture: Picture, quality: u8) -> Picture {
    let stored = || {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100)).encode(
            picture.pixels(),
            picture.width(),
            picture.height(),
            ExtendedColorType::Rgb8,
        )?;
        decoded(&bytes, ImageFormat::Jpeg)
    };
    // Encoding fails only for a side that the format cannot hold.
    stored().unwrap_or(picture)
}

/// `picture` after a lossy WebP of `quality`, decoded by the decoder of the crate `image`.
pub(super) fn webp(picture: Picture, quality: u8) -> Picture {
    let config = LossyEncodingConfig {
        quality: f32::from(quality.clamp(1, 100)),
        method: WEBP_METHOD,
        no_alpha: true,
        ..LossyEncodingConfig::default()
    };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.pixels().as_chunks::<3>().0;
    let rgba = pixels.iter().flat_map(|&[r, g, b]| [r, g, b, u8::MAX]).collect();
    let image = ImageBuffer { width, height, rgba };
    // Encoding fails only for a side or a size that the format cannot hold.
    let bytes = webp_rust::encode_lossy_with_config(&image, &config, None).ok();
    bytes.and_then(|bytes| decoded(&bytes, ImageFormat::WebP).ok()).unwrap_or(picture)
}

fn decoded(bytes: &[u8], format: ImageFormat) -> Result<Picture, ImageError> {
    let image: RgbImage = image::load_from_memory_with_format(bytes, format)?.into_rgb8();
    Ok(image.into())
}
