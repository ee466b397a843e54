//! Chunks of a PNG, up to `IEND`.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::bytes::Bytes;
use crate::claim::Kind;
use crate::contents::{Contents, MAX_BLOCK, Manifest, utf8_or_latin1};
use crate::{exif, stealth, xmp};

const SIGNATURE: usize = 8;

/// Chunks of a file. An encoder that cuts the picture into pieces of 8 KiB reaches it at 8 GiB.
const MAX_CHUNKS: usize = 1 << 20;

/// The key of an XMP packet.
const XMP: &str = "XML:com.adobe.xmp";

pub(crate) fn walk(bytes: &[u8], contents: &mut Contents) {
    let mut rest = Bytes(bytes.get(SIGNATURE..).unwrap_or_default());
    let mut ended = false;
    for _ in 0..MAX_CHUNKS {
        match chunk(&mut rest) {
            Some((b"IEND", _)) => {
                ended = true;
                break;
            }
            Some((_, body)) if body.len() > MAX_BLOCK => {}
            Some((b"tEXt", body)) => text(body, contents),
            Some((b"zTXt", body)) => packed_text(body, contents),
            Some((b"iTXt", body)) => international_text(body, contents),
            Some((b"eXIf", body)) => exif::read(body, contents),
            Some((b"caBX", _)) => contents.manifest = Manifest::There,
            Some(_) => {}
            None => break,
        }
    }
    if !ended {
        contents.fault("the PNG ends before its last chunk");
    }
    stealth::read(bytes, contents);
}

/// Type and body of the next chunk. Its checksum is not looked at: a declaration with a wrong one was
/// still made.
fn chunk<'a>(rest: &mut Bytes<'a>) -> Option<(&'a [u8; 4], &'a [u8])> {
    let length = u32::from_be_bytes(rest.array()?);
    let kind = rest.take(4)?.try_into().ok()?;
    let body = rest.take(usize::try_from(length).ok()?)?;
    rest.take(4)?;
    Some((kind, body))
}

/// Splits at the first zero byte.
fn split(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = body.iter().position(|byte| *byte == 0)?;
    Some((&body[..at], &body[at + 1..]))
}

fn text(body: &[u8], contents: &mut Contents) {
    if let Some((key, value)) = split(body) {
        contents.push(Kind::Text, &utf8_or_latin1(key), utf8_or_latin1(value));
    }
}

fn packed_text(body: &[u8], contents: &mut Contents) {
    let Some((key, [0, packed @ ..])) = split(body) else { return };
    if let Some(value) = inflated(packed, contents) {
        contents.push(Kind::Text, &utf8_or_latin1(key), utf8_or_latin1(&value));
    }
}

fn international_text(body: &[u8], contents: &mut Contents) {
    let Some((key, [flag, method, rest @ ..])) = split(body) else { return };
    let Some((_language, rest)) = split(rest) else { return };
    let Some((_translated, rest)) = split(rest) else { return };
    let unpacked = match (flag, method) {
        (0, _) => rest.to_vec(),
        (1, 0) => match inflated(rest, contents) {
            Some(unpacked) => unpacked,
            None => return,
        },
        _ => return,
    };
    let key = utf8_or_latin1(key);
    if key == XMP {
        xmp::read(&unpacked, contents);
    } else {
        contents.push(Kind::Text, &key, utf8_or_latin1(&unpacked));
    }
}

/// Unpacked bytes, unless there are more than may be kept.
fn inflated(packed: &[u8], contents: &mut Contents) -> Option<Vec<u8>> {
    let room = contents.room();
    let mut unpacked = Vec::new();
    let limit = u64::try_from(room).ok()?.saturating_add(1);
    let result = ZlibDecoder::new(packed).take(limit).read_to_end(&mut unpacked);
    if unpacked.len() > room {
        contents.fault("a packed text is longer than is read");
        return None;
    }
    if result.is_err() {
        contents.fault("a packed text is damaged");
        return None;
    }
    Some(unpacked)
}
