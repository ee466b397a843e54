//! Any decoded color type to 8-bit RGB, in place where the result is not larger.

use image::ColorType;

/// Bytes that the pixels and their conversion to RGB need at once, for each pixel.
///
/// Pixels that are no RGB of 8 bits stand beside their conversion: where an allocator does not shrink a
/// block in place, it copies what stays.
pub(super) fn bytes_per_pixel(color: ColorType) -> u64 {
    let decoded = u64::from(color.bytes_per_pixel());
    if color == ColorType::Rgb8 { decoded } else { decoded + 3 }
}

/// `decoded` pixels of type `color` (16-bit values in native byte order) as RGB.
///
/// 16 bits are rounded to 8; alpha is composited over white. `None` for a type that none of the
/// enabled formats puts out.
pub(super) fn rgb8_from_decoded(mut decoded: Vec<u8>, color: ColorType) -> Option<Vec<u8>> {
    match color {
        ColorType::Rgb8 => {}
        ColorType::L8 => decoded = grey(&decoded, |[value]: [u8; 1]| value),
        ColorType::La8 => decoded = grey(&decoded, |[value, alpha]: [u8; 2]| over8(value, alpha)),
        ColorType::L16 => decoded = grey(&decoded, |value: [u8; 2]| byte(value)),
        ColorType::La16 => {
            compact(&mut decoded, |[v0, v1, a0, a1]: [u8; 4]| [over16([v0, v1], [a0, a1]); 3]);
        }
        ColorType::Rgba8 => {
            compact(&mut decoded, |[r, g, b, a]: [u8; 4]| [over8(r, a), over8(g, a), over8(b, a)]);
        }
        ColorType::Rgb16 => compact(&mut decoded, |[r0, r1, g0, g1, b0, b1]: [u8; 6]| {
            [byte([r0, r1]), byte([g0, g1]), byte([b0, b1])]
        }),
        ColorType::Rgba16 => compact(&mut decoded, |[r0, r1, g0, g1, b0, b1, a0, a1]: [u8; 8]| {
            let alpha = [a0, a1];
            [over16([r0, r1], alpha), over16([g0, g1], alpha), over16([b0, b1], alpha)]
        }),
        _ => return None,
    }
    Some(decoded)
}

/// RGB of pixels of `N` < 3 bytes, each of which `value` turns into one grey level.
fn grey<const N: usize>(decoded: &[u8], value: impl Fn([u8; N]) -> u8) -> Vec<u8> {
    let (pixels, _) = decoded.as_chunks::<N>();
    pixels.iter().flat_map(|&pixel| [value(pixel); 3]).collect()
}

/// RGB of pixels of `N` >= 3 bytes, written over them: a pixel is read before it is overwritten.
fn compact<const N: usize>(decoded: &mut Vec<u8>, rgb: impl Fn([u8; N]) -> [u8; 3]) {
    let n_pixels = decoded.len() / N;
    for pixel in 0..n_pixels {
        let mut from = [0; N];
        from.copy_from_slice(&decoded[pixel * N..(pixel + 1) * N]);
        decoded[pixel * 3..(pixel + 1) * 3].copy_from_slice(&rgb(from));
    }
    decoded.truncate(n_pixels * 3);
    decoded.shrink_to_fit();
}

/// The nearest 8-bit level of a 16-bit value.
fn byte(value: [u8; 2]) -> u8 {
    level((u32::from(u16::from_ne_bytes(value)) + 128) / 257)
}

/// An 8-bit value over white.
fn over8(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    level((value * alpha + 255 * (255 - alpha) + 127) / 255)
}

/// A 16-bit value over white, rounded to 8 bits once.
fn over16(value: [u8; 2], alpha: [u8; 2]) -> u8 {
    const WHITE: u64 = 65_535;
    let (value, alpha) =
        (u64::from(u16::from_ne_bytes(value)), u64::from(u16::from_ne_bytes(alpha)));
    let over_white = value * alpha + WHITE * (WHITE - alpha);
    level(((over_white + 128 * WHITE) / (257 * WHITE)) as u32)
}

fn level(value: u32) -> u8 {
    u8::try_from(value).expect("a mean of levels is a level")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_ne_bytes()).collect()
    }

    #[test]
    fn pixels_of_another_type_stand_beside_their_rgb() {
        let bytes = [ColorType::Rgb8, ColorType::L8, ColorType::La16, ColorType::Rgba16];
        assert_eq!(bytes.map(bytes_per_pixel), [3, 4, 7, 11]);
    }

    #[test]
    fn sixteen_bits_are_rounded_to_the_nearest_level() {
        let rgb = rgb8_from_decoded(native(&[0, 128, 129, 65_535, 257, 385]), ColorType::Rgb16);
        assert_eq!(rgb, Some(vec![0, 0, 1, 255, 1, 1]));
    }

    #[test]
    fn transparent_pixels_are_white_and_opaque_ones_unchanged() {
        let rgba = vec![10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 128];
        let expected = vec![255, 255, 255, 10, 20, 30, 127, 127, 127];
        assert_eq!(rgb8_from_decoded(rgba, ColorType::Rgba8), Some(expected));
        let rgba = native(&[257, 514, 771, 0, 257, 514, 771, 65_535]);
        assert_eq!(rgb8_from_decoded(rgba, ColorType::Rgba16), Some(vec![255, 255, 255, 1, 2, 3]));
    }

    #[test]
    fn grey_becomes_three_equal_channels() {
        assert_eq!(rgb8_from_decoded(vec![7, 9], ColorType::L8), Some(vec![7, 7, 7, 9, 9, 9]));
        assert_eq!(
            rgb8_from_decoded(vec![7, 255, 9, 0], ColorType::La8),
            Some(vec![7, 7, 7, 255, 255, 255])
        );
        assert_eq!(rgb8_from_decoded(native(&[514]), ColorType::L16), Some(vec![2, 2, 2]));
        assert_eq!(rgb8_from_decoded(native(&[514, 65_535]), ColorType::La16), Some(vec![2, 2, 2]));
    }
}
