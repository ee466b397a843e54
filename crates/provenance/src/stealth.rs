//! Text in the lowest bits of a PNG's alpha channel ("stealth pnginfo").
//!
//! The bits go down each column, from the left. A mark of 15 bytes is followed by the number of bits, as
//! 32 bits with the highest first, and by that many bits of UTF-8 or gzip.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use flate2::read::GzDecoder;
use png::{BitDepth, ColorType, Decoder, Limits};

use crate::claim::Kind;
use crate::contents::{Contents, MAX_BLOCK};

const PLAIN: &[u8] = b"stealth_pnginfo";
const PACKED: &[u8] = b"stealth_pngcomp";

/// Bits of the mark and of the number.
const HEAD: usize = (PLAIN.len() + 4) * 8;

/// Pixels of a picture that is looked at; one byte is kept for each.
const MAX_PIXELS: usize = 1 << 24;

/// Bytes that the decoder may allocate.
const DECODER_BYTES: usize = 16 << 20;

/// The key under which a generator would have written the text.
const KEY: &str = "parameters";

/// Keeps the text, if there is one. Almost every other picture is left after its first rows.
pub(crate) fn read(file: &[u8], contents: &mut Contents) {
    let Some(bits) = alpha_bits(file) else { return };
    let Some((mark, text)) = payload(&bits) else { return };
    if mark == PLAIN {
        if let Ok(text) = String::from_utf8(text) {
            contents.push(Kind::Pixels, KEY, text);
        }
        return;
    }
    let limit = u64::try_from(MAX_BLOCK).unwrap_or(u64::MAX);
    let mut unpacked = String::new();
    if GzDecoder::new(text.as_slice()).take(limit).read_to_string(&mut unpacked).is_err() {
        return contents.fault("the text in the alpha channel is damaged");
    }
    // NovelAI packs all its texts as one object.
    match serde_json::from_str::<BTreeMap<String, String>>(&unpacked) {
        Ok(texts) => {
            for (key, value) in texts {
                contents.push(Kind::Pixels, &key, value);
            }
        }
        Err(_) => contents.push(Kind::Pixels, KEY, unpacked),
    }
}

/// The lowest bit of every alpha value in the order of the text, where the first column begins like a
/// mark.
fn alpha_bits(file: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), Limits { bytes: DECODER_BYTES });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().ok()?;
    let info = reader.info();
    let alpha = info.color_type == ColorType::Rgba && info.bit_depth == BitDepth::Eight;
    let (width, height) = (usize::try_from(info.width).ok()?, usize::try_from(info.height).ok()?);
    let n_pixels = width.checked_mul(height)?;
    if !alpha || info.interlaced || !(HEAD..=MAX_PIXELS).contains(&n_pixels) {
        return None;
    }
    let mut bits = Vec::new();
    for y in 0..height {
        let row = reader.next_row().ok()??;
        let (pixels, _) = row.data().as_chunks::<4>();
        if !begins_like_mark(y, pixels.first()?[3] & 1) {
            return None;
        }
        if y == 0 {
            bits = vec![0; n_pixels];
        }
        for (x, pixel) in pixels.iter().take(width).enumerate() {
            bits[x * height + y] = pixel[3] & 1;
        }
    }
    Some(bits)
}

/// True if bit `y` of one of the marks is `bit`, or the marks are shorter.
fn begins_like_mark(y: usize, bit: u8) -> bool {
    let of = |mark: &[u8]| mark.get(y / 8).map(|byte| byte >> (7 - y % 8) & 1);
    [PLAIN, PACKED].iter().any(|mark| of(mark).is_none_or(|wanted| wanted == bit))
}

/// The mark and the bytes behind it.
fn payload(bits: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let bytes = |bits: &[u8]| -> Vec<u8> {
        let (bytes, _) = bits.as_chunks::<8>();
        bytes.iter().map(|byte| byte.iter().fold(0, |value, bit| value << 1 | bit)).collect()
    };
    let mark = bytes(bits.get(..PLAIN.len() * 8)?);
    if mark != PLAIN && mark != PACKED {
        return None;
    }
    let length = bytes(bits.get(PLAIN.len() * 8..HEAD)?);
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let text = bytes(bits.get(HEAD..HEAD.checked_add(length)?)?);
    (text.len() <= MAX_BLOCK).then_some((mark, text))
}
