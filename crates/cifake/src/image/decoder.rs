//! Image files to RGB pixels, within limits.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use image::{DynamicImage, ImageDecoder, ImageFormat, RgbImage};

use super::budget::{Budget, Share};
use super::color;
use super::header::{JpegLayout, Opened};
use super::{InputFit, Picture, PictureError};
use crate::Error;

/// What a [`Decoder`] may spend on files that nobody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest picture, in pixels: 40 megapixels by default.
    pub max_pixels: u64,
    /// Largest file, in bytes: 64 MiB by default.
    pub max_file_bytes: u64,
    /// Bytes that all threads together may allocate for decoding: 256 MB by default, which is a
    /// 40-megapixel RGB picture. A picture that needs more by itself is an error: 16 bits, alpha,
    /// progressive JPEG and animations need two to three times as much a pixel.
    pub allocation_budget: u64,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_pixels: 40_000_000, max_file_bytes: 64 << 20, allocation_budget: 256_000_000 }
    }
}

/// The door through which image files enter; clones share one allocation budget.
///
/// A thread waits until the others have given back what it needs. Beside the budget, each thread
/// holds the file itself and up to 16 MiB of profiles and texts.
///
/// ```
/// # use cifake::{Decoder, InputFit};
/// let decoder = Decoder::default();
/// # let mut png = std::io::Cursor::new(Vec::new());
/// # image::RgbImage::new(40, 30).write_to(&mut png, image::ImageFormat::Png)?;
/// # let png = png.into_inner();
/// let picture = decoder.decode(&png)?;
/// assert_eq!((picture.width(), picture.height()), (40, 30));
/// let (small, fit) = picture.fitted(32, 32);
/// assert_eq!((small.pixels().len(), fit), (32 * 32 * 3, InputFit::Resized));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    limits: DecodeLimits,
    budget: Arc<Budget>,
}

/// A picture at the size that a model sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The pixels that the model sees.
    pub picture: Picture,
    /// Whether they are the file's own.
    pub fit: InputFit,
    /// Width of the picture in the file, after its orientation was applied.
    pub original_width: u32,
    /// Height of the picture in the file, after its orientation was applied.
    pub original_height: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DecodeLimits::default())
    }
}

impl Decoder {
    /// A decoder with a budget of its own.
    #[must_use]
    pub fn new(limits: DecodeLimits) -> Self {
        Self { limits, budget: Arc::new(Budget::new(limits.allocation_budget)) }
    }

    /// The limits that it was made with.
    #[must_use]
    pub fn limits(&self) -> DecodeLimits {
        self.limits
    }

    /// The picture in `bytes`, whatever they are: any content that is no picture of a supported
    /// format within the limits is an error, a panic of a format's decoder included.
    pub fn decode(&self, bytes: &[u8]) -> Result<Picture, Error> {
        Ok(self.decode_then(bytes, |picture| picture)?)
    }

    /// The picture in the file at `path`; errors name it.
    pub fn read(&self, path: &Path) -> Result<Picture, Error> {
        let bytes = self.read_bytes(path)?;
        self.decode(&bytes).map_err(|error| error.in_file(path))
    }

    /// The picture in `bytes` at `width` x `height`, see [`Picture::fitted`].
    ///
    /// The budget covers the picture until it is resized: in many threads, this needs less memory
    /// than to [`decode`](Self::decode) and resize afterwards.
    ///
    /// # Panics
    /// If `width` or `height` is 0.
    pub fn decode_fitted(&self, bytes: &[u8], width: u32, height: u32) -> Result<Fitted, Error> {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
        Ok(self.decode_then(bytes, |picture| {
            let (original_width, original_height) = (picture.width(), picture.height());
            let (picture, fit) = picture.fitted(width, height);
            Fitted { picture, fit, original_width, original_height }
        })?)
    }

    /// The picture in the file at `path` at `width` x `height`; errors name the file.
    ///
    /// # Panics
    /// If `width` or `height` is 0.
    pub fn read_fitted(&self, path: &Path, width: u32, height: u32) -> Result<Fitted, Error> {
        let bytes = self.read_bytes(path)?;
        self.decode_fitted(&bytes, width, height).map_err(|error| error.in_file(path))
    }

    /// The content of the file at `path`, if it is a regular file within the limit.
    fn read_bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(read)?;
        if !metadata.is_file() {
            return Err(Error::from(PictureError::NotAFile).in_file(path));
        }
        let limit = self.limits.max_file_bytes;
        self.check_file_bytes(metadata.len()).map_err(|error| Error::from(error).in_file(path))?;
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(read)?;
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(read)?;
        self.check_file_bytes(bytes.len() as u64)
            .map_err(|error| Error::from(error).in_file(path))?;
        Ok(bytes)
    }

    fn check_file_bytes(&self, n_bytes: u64) -> Result<(), PictureError> {
        let limit = self.limits.max_file_bytes;
        if n_bytes > limit {
            return Err(PictureError::ImageTooLarge { bytes: n_bytes, limit });
        }
        Ok(())
    }

    /// Decodes `bytes` and lets `then` work on the picture while the budget still covers it.
    fn decode_then<T>(
        &self,
        bytes: &[u8],
        then: impl FnOnce(Picture) -> T,
    ) -> Result<T, PictureError> {
        self.check_file_bytes(bytes.len() as u64)?;
        let format = format_of(bytes)?;
        let decoding = || {
            let mut opened = Opened::new(bytes, format).map_err(|e| malformed(format, e))?;
            let share = self.admit(&opened, bytes.len())?;
            opened.limit_internal().map_err(|source| malformed(format, source))?;
            let picture = picture_of(opened, bytes, format)?;
            let answer = then(picture);
            drop(share);
            Ok(answer)
        };
        // Nothing outside the closure is left half changed: the share gives itself back.
        catch_unwind(AssertUnwindSafe(decoding))
            .unwrap_or(Err(PictureError::DecoderPanicked { format: name(format) }))
    }

    /// A share of the budget for a picture whose header is within the limits.
    fn admit(&self, opened: &Opened<'_>, n_bytes: usize) -> Result<Share<'_>, PictureError> {
        let (width, height) = opened.decoder.dimensions();
        let limit = self.limits.max_pixels;
        if opened.n_pixels() > limit {
            return Err(PictureError::TooManyPixels { width, height, limit });
        }
        if opened.n_pixels() == 0 {
            return Err(PictureError::NoPixels { width, height });
        }
        let needed = opened.cost(n_bytes);
        let budget = self.limits.allocation_budget;
        self.budget.share(needed).ok_or(PictureError::OverBudget { width, height, needed, budget })
    }
}

/// Whether the first bytes of a file are those of a format that is read.
pub(crate) fn is_known_format(head: &[u8]) -> bool {
    format_of(head).is_ok()
}

/// The format of `bytes`, by their first few.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::EmptyFile);
    }
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Png
            | ImageFormat::Jpeg
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Gif),
        ) => Ok(format),
        _ => Err(PictureError::UnknownFormat),
    }
}

/// Decodes the pixels of `opened`, converts them to RGB and turns them upright.
fn picture_of(
    opened: Opened<'_>,
    bytes: &[u8],
    format: ImageFormat,
) -> Result<Picture, PictureError> {
    if format == ImageFormat::Jpeg && !JpegLayout::of(bytes).has_end {
        return Err(PictureError::Truncated { format: name(format) });
    }
    let Opened { decoder, orientation, .. } = opened;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let n_bytes = usize::try_from(decoder.total_bytes()).expect("the budget bounds the pixels");
    let mut decoded = vec![0; n_bytes];
    decoder.read_image_boxed(&mut decoded).map_err(|source| malformed(format, source))?;
    let pixels = color::rgb8_from_decoded(decoded, color).ok_or_else(|| {
        PictureError::UnsupportedColor { format: name(format), color: format!("{color:?}") }
    })?;
    let mut upright = DynamicImage::ImageRgb8(
        RgbImage::from_raw(width, height, pixels).expect("RGB of the size that was decoded"),
    );
    upright.apply_orientation(orientation);
    Ok(upright.into())
}

/// The error of `format`'s decoder; a file that ends early has one of its own.
fn malformed(format: ImageFormat, source: image::ImageError) -> PictureError {
    let ends_early = matches!(&source, image::ImageError::IoError(error)
        if error.kind() == std::io::ErrorKind::UnexpectedEof);
    if ends_early {
        return PictureError::Truncated { format: name(format) };
    }
    PictureError::Malformed { format: name(format), source }
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        _ => "GIF",
    }
}
