//! What a file's header gives away before a pixel is decoded.

use std::io::Cursor;

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder,
};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageResult, Limits};

use super::color;

/// What ancillary data (profiles, texts, one row of pixels) may allocate beside the pixels.
const ANCILLARY_BYTES: u64 = 16 << 20;

/// A decoder whose header is read, and what it will allocate.
pub(super) struct Opened<'a> {
    pub(super) decoder: Box<dyn ImageDecoder + 'a>,
    pub(super) orientation: Orientation,
    /// Bytes of internal buffers for each pixel, beside the decoded pixels.
    internal: u64,
}

impl<'a> Opened<'a> {
    /// Reads the header of `bytes`; no pixel is allocated.
    pub(super) fn new(bytes: &'a [u8], format: ImageFormat) -> ImageResult<Self> {
        let reader = Cursor::new(bytes);
        let mut limits = Limits::default();
        limits.max_alloc = Some(ANCILLARY_BYTES);
        let (mut decoder, internal): (Box<dyn ImageDecoder + 'a>, u64) = match format {
            ImageFormat::Png => (Box::new(PngDecoder::with_limits(reader, limits)?), 0),
            // Coefficients of three components, 16 bits each, if they must be kept.
            ImageFormat::Jpeg => {
                let internal = if JpegLayout::of(bytes).keeps_coefficients { 6 } else { 0 };
                (Box::new(JpegDecoder::new(reader)?), internal)
            }
            // Lossless needs RGBA, lossy YUV and alpha planes, an animation a canvas and a frame.
            ImageFormat::WebP => {
                let decoder = WebPDecoder::new(reader)?;
                let internal = if decoder.has_animation() { 8 } else { 4 };
                (Box::new(decoder), internal)
            }
            ImageFormat::Bmp => (Box::new(BmpDecoder::new(reader)?), 0),
            // A frame that does not cover the screen is decoded beside it.
            _ => (Box::new(GifDecoder::new(reader)?), 4),
        };
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        Ok(Self { decoder, orientation, internal })
    }

    pub(super) fn n_pixels(&self) -> u64 {
        let (width, height) = self.decoder.dimensions();
        u64::from(width) * u64::from(height)
    }

    /// Bytes that decoding will hold at once, the copy of a JPEG's `n_bytes` included.
    pub(super) fn cost(&self, n_bytes: usize) -> u64 {
        let turned = match self.orientation {
            Orientation::NoTransforms
            | Orientation::Rotate180
            | Orientation::FlipHorizontal
            | Orientation::FlipVertical => 0,
            _ => 3,
        };
        let color = color::bytes_per_pixel(self.decoder.color_type());
        self.n_pixels()
            .saturating_mul((color + self.internal).max(3 + turned))
            .saturating_add(n_bytes as u64)
    }

    /// Bounds what the decoder may allocate beside the pixels that are its result.
    pub(super) fn limit_internal(&mut self) -> ImageResult<()> {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(self.n_pixels().saturating_mul(self.internal) + ANCILLARY_BYTES);
        self.decoder.set_limits(limits)
    }
}

/// What the markers of a JPEG say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JpegLayout {
    /// The decoder must keep all coefficients: everything but one interleaved baseline scan.
    pub(super) keeps_coefficients: bool,
    /// The end-of-image marker is there: the file is not truncated.
    pub(super) has_end: bool,
}

impl JpegLayout {
    /// Walks the markers of `bytes`; a file without sense keeps coefficients and has no end.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut layout = Self { keeps_coefficients: true, has_end: false };
        let (mut at, mut frame_components) = (2, None);
        loop {
            at = next_marker(bytes, at);
            let Some(&marker) = bytes.get(at + 1) else { break };
            match marker {
                0xd9 => {
                    layout.has_end = true;
                    break;
                }
                0x01 | 0xd8 => {
                    at += 2;
                    continue;
                }
                0xc0 | 0xc1 => frame_components = bytes.get(at + 9),
                0xda if frame_components.is_some() => {
                    layout.keeps_coefficients = bytes.get(at + 4) != frame_components;
                    frame_components = None;
                }
                _ => {}
            }
            let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { break };
            at += 2 + usize::from(u16::from_be_bytes([high, low]));
        }
        layout
    }
}

/// Where the next marker at or after `at` stands; stuffed bytes, restarts, fill bytes and the
/// entropy-coded data between them are passed over.
fn next_marker(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&[first, second]) = bytes.get(at..at + 2) {
        if first == 0xff && !matches!(second, 0x00 | 0xd0..=0xd7 | 0xff) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 21] =
        [0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];

    fn jpeg(scan_components: u8, end: &[u8]) -> Vec<u8> {
        let length = 6 + 2 * scan_components;
        let mut bytes = HEADER.to_vec();
        bytes.extend([0xff, 0xda, 0, length, scan_components]);
        bytes.extend(vec![0; usize::from(length) - 3]);
        bytes.extend([0x12, 0xff, 0x00, 0xff, 0xd0, 0x34]);
        bytes.extend(end);
        bytes
    }

    #[test]
    fn one_interleaved_scan_keeps_no_coefficients() {
        let layout = JpegLayout::of(&jpeg(3, &[0xff, 0xd9]));
        assert_eq!(layout, JpegLayout { keeps_coefficients: false, has_end: true });
        assert!(JpegLayout::of(&jpeg(1, &[0xff, 0xd9])).keeps_coefficients);
    }

    #[test]
    fn a_jpeg_without_an_end_marker_has_no_end() {
        assert!(!JpegLayout::of(&jpeg(3, &[])).has_end);
        assert!(!JpegLayout::of(&jpeg(3, &[0xff])).has_end);
        assert!(JpegLayout::of(&jpeg(3, &[0xff, 0xff, 0xd9])).has_end);
        assert!(!JpegLayout::of(b"\xff\xd8").has_end);
    }
}
