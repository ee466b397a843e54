//! Pictures as PNG or JPEG in base64.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// Quality of the photographs in a page, 1 to 100.
const JPEG_QUALITY: u8 = 88;
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RGB pixels as a PNG in base64.
pub(crate) fn png_base64(pixels: &[u8], width: u32, height: u32) -> String {
    colored_png_base64(pixels, width, height, ExtendedColorType::Rgb8)
}

/// Pixels of a color type as a PNG in base64.
pub(crate) fn colored_png_base64(
    pixels: &[u8],
    width: u32,
    height: u32,
    color: ExtendedColorType,
) -> String {
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(pixels, width, height, color)
        .expect("memory takes every byte of a picture of the stated size");
    base64(&png)
}

/// RGB pixels as a JPEG in base64. Both sides are at most 65,535 pixels.
pub(crate) fn jpeg_base64(pixels: &[u8], width: u32, height: u32) -> String {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .write_image(pixels, width, height, ExtendedColorType::Rgb8)
        .expect("memory takes every byte of a picture of the stated size");
    base64(&jpeg)
}

/// The standard alphabet, padded (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_padding = digit > group.len();
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if is_padding { '=' } else { char::from(DIGITS[value as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        // RFC 4648, section 10.
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(texts.map(|text| base64(text.as_bytes())), expected);
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
