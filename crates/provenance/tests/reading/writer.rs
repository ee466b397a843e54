//! Small files with metadata at a place of choice. Checksums are right, pixels are few.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

pub(crate) const XMP_KEY: &str = "XML:com.adobe.xmp";

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory has room");
    encoder.finish().expect("memory has room")
}

pub(crate) fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(body);
    let length = u32::try_from(body.len()).expect("a test's chunk is short");
    [&length.to_be_bytes(), kind.as_slice(), body, &crc.sum().to_be_bytes()].concat()
}

pub(crate) fn text(key: &str, value: &str) -> Vec<u8> {
    chunk(b"tEXt", &[key.as_bytes(), b"\0", value.as_bytes()].concat())
}

pub(crate) fn packed_text(key: &str, packed: &[u8]) -> Vec<u8> {
    chunk(b"zTXt", &[key.as_bytes(), b"\0\0", packed].concat())
}

pub(crate) fn international_text(key: &str, value: &str) -> Vec<u8> {
    chunk(b"iTXt", &[key.as_bytes(), b"\0\0\0en\0\0", value.as_bytes()].concat())
}

pub(crate) fn packed_international_text(key: &str, value: &str) -> Vec<u8> {
    chunk(b"iTXt", &[key.as_bytes(), b"\0\x01\0\0\0", &zlib(value.as_bytes())].concat())
}

/// A gray PNG of one pixel with `chunks` before its pixels.
pub(crate) fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    png_of(1, 1, 0, &[0, 7], chunks)
}

/// A PNG of 8 bits a channel with `rows`, each behind its filter.
pub(crate) fn png_of(
    width: u32,
    height: u32,
    color: u8,
    rows: &[u8],
    chunks: &[Vec<u8>],
) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let head = chunk(b"IHDR", &[&size, [8, color, 0, 0, 0].as_slice()].concat());
    let pixels = chunk(b"IDAT", &zlib(rows));
    let signature = b"\x89PNG\r\n\x1a\n".as_slice();
    [signature, &head, &chunks.concat(), &pixels, &chunk(b"IEND", b"")].concat()
}

pub(crate) fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).expect("a test's segment is short");
    [&[0xff, marker], length.to_be_bytes().as_slice(), body].concat()
}

/// A JPEG with `segments` before a scan that holds no picture.
pub(crate) fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
    let jfif = segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    let scan = segment(0xda, &[1, 1, 0, 0, 63, 0]);
    [&[0xff, 0xd8], jfif.as_slice(), &segments.concat(), &scan, &[1, 2, 3, 0xff, 0xd9]].concat()
}

pub(crate) fn exif_segment(block: &[u8]) -> Vec<u8> {
    segment(0xe1, &[b"Exif\0\0", block].concat())
}

pub(crate) fn xmp_segment(packet: &str) -> Vec<u8> {
    segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat())
}

pub(crate) fn riff_chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a test's chunk is short");
    let padding = vec![0; body.len() % 2];
    [kind.as_slice(), &length.to_le_bytes(), body, &padding].concat()
}

/// A WebP with `chunks` behind its head.
pub(crate) fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
    let head = riff_chunk(b"VP8X", &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let body = [b"WEBP".as_slice(), &head, &chunks.concat()].concat();
    riff_chunk(b"RIFF", &body)
}

/// A packet with one property of IPTC.
pub(crate) fn xmp(source_type: &str) -> String {
    format!(
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
        xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Paint 1"
        Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{source_type}"/>
        </rdf:RDF></x:xmpmeta>"#
    )
}

/// Fields of EXIF: tag, type (2 text, 7 bytes) and value. Those from 0x9000 stand in the second directory.
pub(crate) fn exif(fields: &[(u16, u16, Vec<u8>)], little_endian: bool) -> Vec<u8> {
    let (first, second): (Vec<_>, Vec<_>) =
        fields.iter().cloned().partition(|(tag, _, _)| *tag < 0x9000);
    let order = Order { little_endian };
    let head = if little_endian { b"II*\0\x08\0\0\0" } else { b"MM\0*\0\0\0\x08" };
    let directory_bytes = |n: usize| 6 + 12 * n;
    let second_at = 8 + directory_bytes(first.len() + 1);
    let values_at = second_at + directory_bytes(second.len());
    let pointer = (0x8769, 4, order.u32(second_at));
    let mut values = Vec::new();
    let first = order.directory(&[first, vec![pointer]].concat(), values_at, &mut values);
    let second = order.directory(&second, values_at, &mut values);
    [head.as_slice(), &first, &second, &values].concat()
}

struct Order {
    little_endian: bool,
}

impl Order {
    fn u16(&self, value: usize) -> Vec<u8> {
        let value = u16::try_from(value).expect("a test's number is small");
        let bytes = if self.little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
        bytes.to_vec()
    }

    fn u32(&self, value: usize) -> Vec<u8> {
        let value = u32::try_from(value).expect("a test's number is small");
        let bytes = if self.little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
        bytes.to_vec()
    }

    fn directory(
        &self,
        fields: &[(u16, u16, Vec<u8>)],
        values_at: usize,
        values: &mut Vec<u8>,
    ) -> Vec<u8> {
        let mut bytes = self.u16(fields.len());
        for (tag, kind, value) in fields {
            let unit = if *kind == 4 { 4 } else { 1 };
            bytes.extend(self.u16(usize::from(*tag)));
            bytes.extend(self.u16(usize::from(*kind)));
            bytes.extend(self.u32(value.len() / unit));
            if value.len() <= 4 {
                bytes.extend(value.iter().chain(&[0; 4]).take(4));
            } else {
                bytes.extend(self.u32(values_at + values.len()));
                values.extend(value);
            }
        }
        bytes.extend([0; 4]);
        bytes
    }
}
