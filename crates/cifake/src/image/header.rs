//! Facts of a file's header, before a pixel is decoded.

use std::io::Cursor;

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder,
};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageResult, Limits};

use super::color;
use super::jpeg::Jpeg;

/// Bytes that ancillary data (profiles, texts, one row of pixels) may allocate beside the pixels.
const ANCILLARY_BYTES: u64 = 16 << 20;

/// JPEGs of more pixels, or of more bytes while they are decoded, are decoded at a fraction of
/// their size where a small picture is wanted. The limit is that of the file, not of the caller's
/// budget: the same file gives the same pixels everywhere.
const LARGE_PIXELS: u64 = 40_000_000;
const LARGE_BYTES: u64 = 256_000_000;

/// Sides of a reduced picture are at least so many times those that are wanted. The filter of the
/// last step then averages over as many pixels, and the result stays within three levels of that of
/// the whole picture (`a_large_jpeg_is_reduced_while_it_is_decoded`).
const MARGIN: u64 = 4;

/// Most bytes that deflate makes of one byte.
const DEFLATE_RATIO: u64 = 1032;

/// A decoder whose header is read, and what it will allocate.
pub(super) struct Opened<'a> {
    pub(super) decoder: Box<dyn ImageDecoder + 'a>,
    pub(super) orientation: Orientation,
    /// The markers of a JPEG.
    pub(super) jpeg: Option<Jpeg<'a>>,
    n_file_bytes: u64,
    /// Bits of a pixel in a PNG, before compression.
    n_png_bits: Option<u64>,
    /// Bytes of internal buffers, beside the decoded pixels.
    n_internal_bytes: u64,
}

/// The way to the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// The decoder of the `image` crate.
    Image,
    /// The second JPEG decoder, at 1/`reduction` of the size.
    Jpeg {
        /// 1, 2, 4 or 8.
        reduction: u32,
    },
}

impl<'a> Opened<'a> {
    /// Reads the header of `bytes`; no pixel is allocated.
    pub(super) fn new(bytes: &'a [u8], format: ImageFormat) -> ImageResult<Self> {
        let reader = Cursor::new(bytes);
        let mut limits = Limits::default();
        limits.max_alloc = Some(ANCILLARY_BYTES);
        let jpeg = (format == ImageFormat::Jpeg).then(|| Jpeg::of(bytes));
        let (mut decoder, internal): (Box<dyn ImageDecoder + 'a>, u64) = match format {
            ImageFormat::Png => (Box::new(PngDecoder::with_limits(reader, limits)?), 0),
            ImageFormat::Jpeg => (Box::new(JpegDecoder::new(reader)?), 0),
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
        let coefficients = jpeg.as_ref().map_or(0, Jpeg::n_internal_bytes);
        let n_file_bytes = bytes.len() as u64;
        let n_png_bits = if format == ImageFormat::Png { png_bits(bytes) } else { None };
        let n_internal_bytes = 0;
        let mut opened =
            Self { decoder, orientation, jpeg, n_file_bytes, n_png_bits, n_internal_bytes };
        opened.n_internal_bytes = opened.n_pixels().saturating_mul(internal) + coefficients;
        Ok(opened)
    }

    pub(super) fn n_pixels(&self) -> u64 {
        let (width, height) = self.decoder.dimensions();
        u64::from(width) * u64::from(height)
    }

    /// Whether a file of this length can hold the pixels that its header claims.
    ///
    /// Only PNG bounds them, by its compression. Without this check, a file of some bytes costs the memory
    /// of all pixels before its end is noticed.
    pub(super) fn can_hold_pixels(&self) -> bool {
        let Some(bits) = self.n_png_bits else { return true };
        let n_bytes = self.n_pixels().saturating_mul(bits) / 8;
        n_bytes <= self.n_file_bytes.saturating_mul(DEFLATE_RATIO)
    }

    /// Width and height after the orientation is applied.
    pub(super) fn upright(&self) -> (u32, u32) {
        let (width, height) = self.decoder.dimensions();
        if self.is_turned() { (height, width) } else { (width, height) }
    }

    /// The way to pixels of which a picture of the `wanted` width and height is made, or all of them.
    pub(super) fn route(&self, wanted: Option<(u32, u32)>) -> Route {
        let Some(jpeg) = &self.jpeg else { return Route::Image };
        let whole = match jpeg.has_separate_scans() {
            true => Route::Jpeg { reduction: 1 },
            false => Route::Image,
        };
        let is_large = self.n_pixels() > LARGE_PIXELS || self.cost(whole) > LARGE_BYTES;
        let Some(wanted) = wanted.filter(|_| is_large) else { return whole };
        let (width, height) = self.upright();
        let leaves_enough = |reduction: &u32| {
            let enough =
                |side: u32, wanted: u32| u64::from(side / reduction) >= MARGIN * u64::from(wanted);
            enough(width, wanted.0) && enough(height, wanted.1)
        };
        let reduction = [8, 4, 2].into_iter().find(leaves_enough);
        reduction.map_or(whole, |reduction| Route::Jpeg { reduction })
    }

    /// Bytes that decoding will hold at once, the copy of a JPEG's file included.
    pub(super) fn cost(&self, route: Route) -> u64 {
        let color = color::bytes_per_pixel(self.decoder.color_type());
        let turned = if self.is_turned() { 6 } else { 3 };
        let (pixels, color, internal) = match (route, &self.jpeg) {
            (Route::Jpeg { reduction }, Some(jpeg)) => {
                let (width, height) = self.decoder.dimensions();
                let reduced = |side: u32| u64::from(side.div_ceil(reduction));
                // CMYK comes as four bytes a pixel.
                let pixels = reduced(width) * reduced(height);
                (pixels, color.max(4), jpeg.n_decoding_bytes(reduction))
            }
            _ => (self.n_pixels(), color, self.n_internal_bytes),
        };
        let decoding = pixels.saturating_mul(color).saturating_add(internal);
        decoding.max(pixels.saturating_mul(turned)).saturating_add(self.n_file_bytes)
    }

    /// Bounds what the decoder may allocate beside the pixels that are its result.
    pub(super) fn limit_internal(&mut self) -> ImageResult<()> {
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(self.n_internal_bytes + ANCILLARY_BYTES);
        self.decoder.set_limits(limits)
    }

    fn is_turned(&self) -> bool {
        !matches!(
            self.orientation,
            Orientation::NoTransforms
                | Orientation::Rotate180
                | Orientation::FlipHorizontal
                | Orientation::FlipVertical
        )
    }
}

/// Bits of a pixel, by the header that every PNG begins with.
fn png_bits(bytes: &[u8]) -> Option<u64> {
    let (&depth, &color) = (bytes.get(24)?, bytes.get(25)?);
    let n_samples = match color {
        0 | 3 => 1,
        2 => 3,
        4 => 2,
        6 => 4,
        _ => return None,
    };
    Some(u64::from(depth) * n_samples)
}
