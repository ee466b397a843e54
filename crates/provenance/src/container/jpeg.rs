//! Segments of a JPEG (ITU T.81, annex B), up to the first scan: metadata stands before it.

use super::bytes::Bytes;
use crate::contents::{Contents, Manifest};
use crate::{exif, xmp};

const EXIF: &[u8] = b"Exif\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

const APP1: u8 = 0xe1;
const APP11: u8 = 0xeb;
const SCAN: u8 = 0xda;
const END: u8 = 0xd9;

/// A box of JUMBF inside an APP11 segment: the mark of ISO 19566-5, two numbers, the length of the box.
const JUMBF_MARK: &[u8] = b"JP";

pub(crate) fn walk(bytes: &[u8], contents: &mut Contents) {
    let mut rest = Bytes(bytes.get(2..).unwrap_or_default());
    loop {
        match segment(&mut rest) {
            Some((SCAN | END, _)) => return,
            Some((APP1, body)) => app1(body, contents),
            Some((APP11, body)) if body.starts_with(JUMBF_MARK) => {
                contents.manifest = Manifest::There
            }
            Some(_) => {}
            None => return contents.fault("the JPEG ends before its picture begins"),
        }
    }
}

/// The next marker and the body of its segment.
fn segment<'a>(rest: &mut Bytes<'a>) -> Option<(u8, &'a [u8])> {
    if rest.byte()? != 0xff {
        return None;
    }
    let mut marker = rest.byte()?;
    while marker == 0xff {
        marker = rest.byte()?; // any number of fill bytes may stand before a marker
    }
    if matches!(marker, SCAN | END | 0x01 | 0xd0..=0xd7) {
        return Some((marker, &[]));
    }
    let length = usize::from(u16::from_be_bytes(rest.array()?));
    Some((marker, rest.take(length.checked_sub(2)?)?))
}

fn app1(body: &[u8], contents: &mut Contents) {
    if let Some(packet) = body.strip_prefix(XMP) {
        xmp::read(packet, contents);
    } else if let Some(block) = body.strip_prefix(EXIF) {
        // A padding byte, of any value, ends the mark.
        exif::read(block.get(1..).unwrap_or_default(), contents);
    }
}
