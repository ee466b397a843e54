//! The number of pixels that a file declares, from its first bytes alone.
//!
//! It only chooses a lane of the queue; the decoder has limits of its own.

use crate::queue::Lane;

/// Longest file of the lane of small pictures, in bytes.
const SMALL_BYTES: usize = 256 << 10;
/// Largest picture of the lane of small pictures, in pixels.
const SMALL_PIXELS: u64 = 1 << 20;

/// The lane of the picture in `file`. A picture of unknown size is a large one.
pub(crate) fn lane(file: &[u8]) -> Lane {
    let is_small = |(width, height): (u32, u32)| {
        u64::from(width).saturating_mul(u64::from(height)) <= SMALL_PIXELS
    };
    match file.len() <= SMALL_BYTES && extent(file).is_some_and(is_small) {
        true => Lane::Small,
        false => Lane::Large,
    }
}

/// Width and height as the header of a PNG, GIF, BMP, WebP or JPEG states them.
fn extent(file: &[u8]) -> Option<(u32, u32)> {
    if file.starts_with(b"\x89PNG") {
        return Some((be32(file, 16)?, be32(file, 20)?));
    } else if file.starts_with(b"GIF8") {
        return Some((le16(file, 6)?, le16(file, 8)?));
    } else if file.starts_with(b"BM") {
        // The height is negative where the rows go down.
        let height = le32(file, 22)?.cast_signed();
        return Some((le32(file, 18)?, height.unsigned_abs()));
    } else if file.starts_with(b"RIFF") {
        return webp(file);
    }
    file.starts_with(&[0xff, 0xd8]).then(|| jpeg(file)).flatten()
}

/// RFC 9649, sections 2.5 to 2.7.
fn webp(file: &[u8]) -> Option<(u32, u32)> {
    match file.get(12..16)? {
        b"VP8X" => Some(((le32(file, 24)? & 0xff_ffff) + 1, (le32(file, 27)? & 0xff_ffff) + 1)),
        b"VP8L" => {
            let bits = le32(file, 21)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8 " => Some((le16(file, 26)? & 0x3fff, le16(file, 28)? & 0x3fff)),
        _ => None,
    }
}

/// The frame header behind the other segments (ITU T.81, annex B).
fn jpeg(file: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let &[0xff, marker] = file.get(at..at + 2)? else { return None };
        let is_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if is_frame {
            return Some((be16(file, at + 7)?, be16(file, at + 5)?));
        }
        at += 2 + usize::try_from(be16(file, at + 2)?).ok()?;
    }
}

fn array<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..)?.first_chunk().copied()
}

fn be32(file: &[u8], at: usize) -> Option<u32> {
    array(file, at).map(u32::from_be_bytes)
}

fn le32(file: &[u8], at: usize) -> Option<u32> {
    array(file, at).map(u32::from_le_bytes)
}

fn be16(file: &[u8], at: usize) -> Option<u32> {
    array(file, at).map(|bytes| u16::from_be_bytes(bytes).into())
}

fn le16(file: &[u8], at: usize) -> Option<u32> {
    array(file, at).map(|bytes| u16::from_le_bytes(bytes).into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, RgbImage};

    use super::*;

    fn file(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        RgbImage::new(width, height).write_to(&mut file, format).expect("a vector takes it");
        file.into_inner()
    }

    #[test]
    fn the_header_of_every_format_tells_the_size() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::Gif,
            ImageFormat::Bmp,
            ImageFormat::WebP,
        ] {
            let file = file(40, 30, format);
            assert_eq!(extent(&file), Some((40, 30)), "{format:?}");
            assert_eq!(lane(&file), Lane::Small, "{format:?}");
            for end in 0..file.len().min(64) {
                let _ = extent(&file[..end]);
            }
        }
        let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x27\0\0\x1d\0\0\0";
        assert_eq!(extent(extended), Some((40, 30)));
    }

    #[test]
    fn a_small_file_of_many_pixels_is_large() {
        assert_eq!(lane(&file(2000, 2000, ImageFormat::Png)), Lane::Large);
        assert_eq!(lane(b"no picture"), Lane::Large);
        let long = [file(40, 30, ImageFormat::Png), vec![0; SMALL_BYTES]].concat();
        assert_eq!(lane(&long), Lane::Large);
    }
}
