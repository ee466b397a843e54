//! EXIF fields that tell of an origin.

use ::exif::{Context, In, Reader, Tag, Value};

use crate::claim::Kind;
use crate::contents::{Contents, MAX_BLOCK, utf8_or_latin1};

/// Fields of the EXIF standard and the names under which they are kept.
const FIELDS: &[(Tag, &str)] = &[
    (Tag::Make, "Make"),
    (Tag::Model, "Model"),
    (Tag::Software, "Software"),
    (Tag::ImageDescription, "ImageDescription"),
    (Tag::Artist, "Artist"),
    (Tag::UserComment, "UserComment"),
    // Some programs write the comment beside the fields of the picture instead of below them.
    (Tag(Context::Tiff, 0x9286), "UserComment"),
];

/// Bytes of the character code before a comment.
const CODE: usize = 8;

/// Keeps the fields of a block that begins with the head of a TIFF.
pub(crate) fn read(block: &[u8], contents: &mut Contents) {
    if block.len() > MAX_BLOCK {
        return contents.fault("the EXIF block is longer than is read");
    }
    // The parser reads at most 8 directories, none of them twice, and no value before it is asked for.
    let parsed = Reader::new().continue_on_error(true).read_raw(block.to_vec());
    let Ok(fields) = parsed.or_else(|error| error.distill_partial_result(|_| ())) else {
        return contents.fault("the EXIF block is damaged");
    };
    for (tag, key) in FIELDS {
        let Some(field) = fields.get_field(*tag, In::PRIMARY) else { continue };
        let value = match &field.value {
            Value::Ascii(lines) => utf8_or_latin1(lines.first().map_or(&[], Vec::as_slice)),
            Value::Undefined(bytes, _) | Value::Byte(bytes) => {
                comment(bytes, fields.little_endian())
            }
            _ => continue,
        };
        let value = value.trim_matches(['\0', ' ']);
        if !value.is_empty() {
            contents.push(Kind::Exif, key, value.to_owned());
        }
    }
}

/// A comment behind its character code (EXIF 2.32, 4.6.5).
fn comment(bytes: &[u8], little_endian: bool) -> String {
    let (code, text) = bytes.split_at(CODE.min(bytes.len()));
    if code.starts_with(b"UNICODE") {
        return unicode(text, little_endian);
    }
    let text =
        if code.starts_with(b"ASCII") || code.starts_with(&[0; CODE]) { text } else { bytes };
    let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    utf8_or_latin1(&text[..end])
}

/// UTF-16 in the order of its mark, else in the order that the zero bytes of Latin letters show, else in
/// the order of the file; writers do not keep to the latter.
fn unicode(text: &[u8], little_endian: bool) -> String {
    let (little, text) = match text {
        [0xff, 0xfe, rest @ ..] => (true, rest),
        [0xfe, 0xff, rest @ ..] => (false, rest),
        _ => {
            let zeros = |at: usize| text.iter().skip(at).step_by(2).filter(|b| **b == 0).count();
            let (even, odd) = (zeros(0), zeros(1));
            (if even == odd { little_endian } else { odd > even }, text)
        }
    };
    let (pairs, _) = text.as_chunks::<2>();
    let unit = if little { u16::from_le_bytes } else { u16::from_be_bytes };
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: &[u8; 8], text: &[u8]) -> Vec<u8> {
        [code.as_slice(), text].concat()
    }

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn a_comment_is_read_in_every_code() {
        let text = "Steps: 20, \u{30c6}";
        let (big, little) = (utf16(text, u16::to_be_bytes), utf16(text, u16::to_le_bytes));
        for file_order in [false, true] {
            assert_eq!(comment(&code(b"UNICODE\0", &big), file_order), text);
            assert_eq!(comment(&code(b"UNICODE\0", &little), file_order), text);
            let marked = [b"\xff\xfe".as_slice(), &little].concat();
            assert_eq!(comment(&code(b"UNICODE\0", &marked), file_order), text);
        }
        assert_eq!(comment(&code(b"ASCII\0\0\0", b"abc\0\0"), true), "abc");
        assert_eq!(comment(&code(&[0; 8], text.as_bytes()), true), text);
        assert_eq!(comment(b"without", true), "without");
        assert_eq!(comment(b"", true), "");
    }

    #[test]
    fn the_order_of_the_file_decides_where_nothing_else_does() {
        let text = "\u{5927}\u{5b57}";
        assert_eq!(unicode(&utf16(text, u16::to_le_bytes), true), text);
        assert_eq!(unicode(&utf16(text, u16::to_be_bytes), false), text);
    }
}
