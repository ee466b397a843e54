//! The container of a picture, told from its first bytes.

use serde::Serialize;

/// Bytes in which the root element of an SVG must begin: comments and a document type may precede it.
const SVG_HEAD: usize = 4096;

/// A container of pictures. Metadata is read from JPEG, PNG and WebP; C2PA manifests from all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// ITU T.81.
    Jpeg,
    /// W3C PNG.
    Png,
    /// RFC 9649.
    Webp,
    /// Compuserve GIF.
    Gif,
    /// Adobe TIFF 6.0.
    Tiff,
    /// W3C SVG.
    Svg,
    /// AV1 in ISO 23008-12.
    Avif,
    /// HEVC in ISO 23008-12.
    Heic,
}

impl Format {
    /// The format that begins with `bytes`, if there is one.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        if starts(&[0xff, 0xd8, 0xff]) {
            return Some(Self::Jpeg);
        } else if starts(b"\x89PNG\r\n\x1a\n") {
            return Some(Self::Png);
        } else if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Some(Self::Webp);
        } else if starts(b"GIF87a") || starts(b"GIF89a") {
            return Some(Self::Gif);
        } else if starts(b"II*\0") || starts(b"MM\0*") {
            return Some(Self::Tiff);
        } else if bytes.get(4..8) == Some(b"ftyp") {
            return match bytes.get(8..12)? {
                b"avif" | b"avis" => Some(Self::Avif),
                b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" => Some(Self::Heic),
                _ => None,
            };
        }
        is_svg(bytes).then_some(Self::Svg)
    }

    /// The name that C2PA readers take.
    #[cfg(feature = "c2pa")]
    pub(crate) fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Tiff => "image/tiff",
            Self::Svg => "image/svg+xml",
            Self::Avif => "image/avif",
            Self::Heic => "image/heic",
        }
    }
}

fn is_svg(bytes: &[u8]) -> bool {
    let head = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let head = &head[..head.len().min(SVG_HEAD)];
    head.starts_with(b"<") && head.windows(4).any(|window| window == b"<svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_from_its_first_bytes() {
        let table: [(&[u8], Option<Format>); 8] = [
            (&[0xff, 0xd8, 0xff, 0xe0], Some(Format::Jpeg)),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some(Format::Webp)),
            (b"RIFF\0\0\0\0WAVE", None),
            (b"\0\0\0\x20ftypavif", Some(Format::Avif)),
            (b"\0\0\0\x20ftypisom", None),
            (b"\xef\xbb\xbf\n<!-- a --><svg/>", Some(Format::Svg)),
            (b"<html></html>", None),
            (b"", None),
        ];
        for (bytes, format) in table {
            assert_eq!(Format::of(bytes), format, "{bytes:?}");
        }
    }
}
