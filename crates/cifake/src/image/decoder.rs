//! Image files to RGB pixels, within limits.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use image::error::DecodingError;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, RgbImage};

use super::budget::{Budget, Share};
use super::color;
use super::header::{Opened, Route};
use super::jpeg::{Damage, Decoded};
use super::resize::n_bytes_to_resize;
use super::{DecodeLimits, InputFit, Picture, PictureError};
use crate::{Error, guarded};

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
        Ok(self.decode_then(bytes, None, |picture, _| picture)?)
    }

    /// The picture in the file at `path`; errors name it.
    pub fn read(&self, path: &Path) -> Result<Picture, Error> {
        let bytes = self.read_bytes(path)?;
        self.decode(&bytes).map_err(|error| error.in_file(path))
    }

    /// The picture in `bytes` at `width` x `height`, see [`Picture::fitted`].
    ///
    /// The budget covers the picture until it is resized: in many threads, this needs less memory
    /// than to [`decode`](Self::decode) and resize afterwards. A JPEG of more than 40 megapixels, or
    /// of more than 256 MB while it is decoded, is decoded at 1/2, 1/4 or 1/8 of its size, where
    /// four times the wanted width and height are left. A level then differs by at most three from
    /// that of the whole picture.
    ///
    /// # Panics
    /// If `width` or `height` is 0.
    pub fn decode_fitted(&self, bytes: &[u8], width: u32, height: u32) -> Result<Fitted, Error> {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
        Ok(self.decode_then(bytes, Some((width, height)), |picture, original| {
            let (original_width, original_height) = original;
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
    pub(crate) fn read_bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(read)?;
        if !metadata.is_file() {
            return Err(Error::from(PictureError::NotAFile).in_file(path));
        }
        self.check_file_bytes(metadata.len()).map_err(|error| Error::from(error).in_file(path))?;
        self.read_stream(File::open(path).map_err(read)?, path)
    }

    /// All that `reader` yields, if it is within the limit; errors name `path`.
    pub(crate) fn read_stream(&self, reader: impl Read, path: &Path) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        // One byte more than is accepted: a file may have grown, and a stream states no length.
        let limit = self.limits.max_file_bytes.saturating_add(1);
        let read = |source| Error::Read { path: path.to_owned(), source };
        reader.take(limit).read_to_end(&mut bytes).map_err(read)?;
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

    /// Decodes `bytes` and lets `then` work on the picture, and on the width and height in the
    /// file, while the budget still covers it. With a `wanted` size the picture may be smaller.
    fn decode_then<T>(
        &self,
        bytes: &[u8],
        wanted: Option<(u32, u32)>,
        then: impl FnOnce(Picture, (u32, u32)) -> T,
    ) -> Result<T, PictureError> {
        self.check_file_bytes(bytes.len() as u64)?;
        let format = format_of(bytes)?;
        let decoding = || {
            let mut opened = Opened::new(bytes, format).map_err(|e| malformed(format, e))?;
            let route = opened.route(wanted);
            let share = self.admit(&opened, route, wanted)?;
            if !opened.can_hold_pixels() {
                return Err(PictureError::Truncated { format: name(format) });
            }
            opened.limit_internal().map_err(|source| malformed(format, source))?;
            let original = opened.upright();
            let picture = picture_of(opened, route, format)?;
            let answer = then(picture, original);
            drop(share);
            Ok(answer)
        };
        // Nothing outside the closure is left half changed: the share gives itself back.
        guarded(decoding).unwrap_or(Err(PictureError::DecoderPanicked { format: name(format) }))
    }

    /// A share of the budget for a picture whose header is within the limits.
    fn admit(
        &self,
        opened: &Opened<'_>,
        route: Route,
        wanted: Option<(u32, u32)>,
    ) -> Result<Share<'_>, PictureError> {
        let (width, height) = opened.decoder.dimensions();
        let limit = self.limits.max_pixels;
        if opened.n_pixels() > limit {
            return Err(PictureError::TooManyPixels { width, height, limit });
        }
        if opened.n_pixels() == 0 {
            return Err(PictureError::NoPixels { width, height });
        }
        let resizing = wanted.map_or(0, |wanted| n_bytes_to_resize(opened.upright(), wanted));
        let needed = opened.cost(route).saturating_add(resizing);
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
        _ => match foreign_format(bytes) {
            Some(format) => Err(PictureError::UnsupportedFormat { format }),
            None => Err(PictureError::UnknownFormat),
        },
    }
}

/// The name of a picture format that is recognized and not read.
fn foreign_format(bytes: &[u8]) -> Option<&'static str> {
    // ISO base media: a box `ftyp` whose brand names the coding.
    if let [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] = bytes {
        return match brand.first_chunk()? {
            b"avif" | b"avis" => Some("AVIF"),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                Some("HEIC")
            }
            b"crx " => Some("camera raw"),
            _ => None,
        };
    }
    let signatures: [(&[u8], &str); 9] = [
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"II+\0", "TIFF"),
        (b"MM\0+", "TIFF"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cJXL ", "JPEG XL"),
        (b"\0\0\0\x0cjP  ", "JPEG 2000"),
        (b"8BPS", "Photoshop file"),
        (b"%PDF", "PDF"),
    ];
    let found = signatures.into_iter().find(|(signature, _)| bytes.starts_with(signature));
    found.map(|(_, name)| name)
}

/// Decodes the pixels of `opened`, converts them to RGB and turns them upright.
fn picture_of(
    opened: Opened<'_>,
    route: Route,
    format: ImageFormat,
) -> Result<Picture, PictureError> {
    if let Some(jpeg) = &opened.jpeg {
        jpeg.check_whole().map_err(|damage| damaged(format, damage))?;
    }
    let orientation = opened.orientation;
    let (decoded, width, height, color) =
        decoded(opened, route).map_err(|source| malformed(format, source))?;
    let pixels = color::rgb8_from_decoded(decoded, color).ok_or_else(|| {
        PictureError::UnsupportedColor { format: name(format), color: format!("{color:?}") }
    })?;
    let mut upright = DynamicImage::ImageRgb8(
        RgbImage::from_raw(width, height, pixels).expect("RGB of the size that was decoded"),
    );
    upright.apply_orientation(orientation);
    Ok(upright.into())
}

/// The pixels of `opened` as they are stored.
fn decoded(opened: Opened<'_>, route: Route) -> Result<Decoded, ImageError> {
    if let (Route::Jpeg { reduction }, Some(jpeg)) = (route, &opened.jpeg) {
        return jpeg.decode(reduction);
    }
    let decoder = opened.decoder;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let n_bytes = usize::try_from(decoder.total_bytes()).expect("the budget bounds the pixels");
    let mut decoded = vec![0; n_bytes];
    decoder.read_image_boxed(&mut decoded)?;
    Ok((decoded, width, height, color))
}

/// The error of a JPEG whose coded data does not hold its picture.
fn damaged(format: ImageFormat, damage: Damage) -> PictureError {
    match damage {
        Damage::EndsEarly => PictureError::Truncated { format: name(format) },
        Damage::Broken(reason) => {
            let source = DecodingError::new(format.into(), reason);
            malformed(format, ImageError::Decoding(source))
        }
    }
}

/// The error of `format`'s decoder; a file that ends early has one of its own, and so has one beyond the limits.
fn malformed(format: ImageFormat, source: ImageError) -> PictureError {
    let ends_early = matches!(&source, ImageError::IoError(error)
        if error.kind() == std::io::ErrorKind::UnexpectedEof);
    if ends_early {
        return PictureError::Truncated { format: name(format) };
    }
    match source {
        ImageError::Limits(_) => PictureError::PartTooLarge { format: name(format) },
        source => PictureError::Malformed { format: name(format), source },
    }
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
