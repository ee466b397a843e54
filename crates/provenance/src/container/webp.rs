//! Chunks of a WebP (RFC 9649), up to the length that the file's head states.

use super::bytes::Bytes;
use crate::contents::{Contents, MAX_BLOCK, Manifest};
use crate::{exif, xmp};

/// Bytes before the first chunk: `RIFF`, the length of what follows, `WEBP`.
const HEAD: usize = 12;

pub(crate) fn walk(bytes: &[u8], contents: &mut Contents) {
    let mut head = Bytes(bytes.get(4..).unwrap_or_default());
    let stated = head.array().map_or(0, u32::from_le_bytes);
    let end = usize::try_from(stated).unwrap_or(usize::MAX).saturating_add(8);
    if end > bytes.len() {
        contents.fault("the WebP ends before its stated length");
    }
    let mut rest = Bytes(bytes.get(HEAD..end.min(bytes.len())).unwrap_or_default());
    while !rest.0.is_empty() {
        match chunk(&mut rest) {
            Some((_, body)) if body.len() > MAX_BLOCK => {}
            // Some writers keep the mark of JPEG before the fields.
            Some((b"EXIF", body)) => {
                exif::read(body.strip_prefix(b"Exif\0\0").unwrap_or(body), contents);
            }
            Some((b"XMP ", body)) => xmp::read(body, contents),
            Some((b"C2PA", _)) => contents.manifest = Manifest::There,
            Some(_) => {}
            None => return contents.fault("a chunk of the WebP is longer than the file"),
        }
    }
}

fn chunk<'a>(rest: &mut Bytes<'a>) -> Option<(&'a [u8; 4], &'a [u8])> {
    let kind = rest.take(4)?.try_into().ok()?;
    let length = usize::try_from(u32::from_le_bytes(rest.array()?)).ok()?;
    let body = rest.take(length)?;
    if length % 2 == 1 {
        let _ = rest.byte(); // the last chunk may lack its padding
    }
    Some((kind, body))
}
