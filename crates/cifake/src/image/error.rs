//! Why an image could not be used.

/// A fault of an image or of pixels; [`Error::InFile`](crate::Error::InFile) names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// An image has no content.
    #[error("the file is empty; copy or download it again")]
    EmptyFile,
    /// A path leads to a folder or a device where a file was expected.
    #[error("not a regular file; name an image file")]
    NotAFile,
    /// The content is no picture of a format that is read, whatever the name says.
    #[error("the content is no PNG, JPEG, WebP, BMP or GIF; convert it to one of them")]
    UnknownFormat,
    /// The content is a picture of a format that is recognized and not read.
    #[error("the content is {format}, which is not read; convert it to PNG or JPEG")]
    UnsupportedFormat {
        /// The format: HEIC, AVIF, TIFF and others.
        format: &'static str,
    },
    /// An image ends before its picture does.
    #[error("the {format} ends before its picture does; copy or download it again")]
    Truncated {
        /// The format of the content.
        format: &'static str,
    },
    /// The content breaks the rules of its format.
    #[error("broken {format}: {source}; save the picture again with another program")]
    Malformed {
        /// The format of the content.
        format: &'static str,
        /// The error of the decoder.
        source: image::ImageError,
    },
    /// The decoder of a format panicked on an image.
    #[error("the {format} decoder failed on it; save the picture again with another program")]
    DecoderPanicked {
        /// The format of the content.
        format: &'static str,
    },
    /// An image has a color type that is not converted.
    #[error("the {format} has pixels of type {color}; convert it to 8-bit RGB")]
    UnsupportedColor {
        /// The format of the content.
        format: &'static str,
        /// The type of its pixels.
        color: String,
    },
    /// An encoded image has more bytes than the decoder accepts.
    #[error(
        "{bytes} bytes are more than the limit of {limit}; allow larger pictures if you trust it"
    )]
    ImageTooLarge {
        /// Size of the encoded image.
        bytes: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// An image's header claims more pixels than the decoder accepts.
    #[error(
        "{width}x{height} pixels are more than the limit of {limit}; scale it down, or allow larger pictures if you trust it"
    )]
    TooManyPixels {
        /// Width that the header claims.
        width: u32,
        /// Height that the header claims.
        height: u32,
        /// The most pixels that are accepted.
        limit: u64,
    },
    /// Something in an image needs more memory than its decoder may take: a side, a frame or a text.
    #[error("a part of the {format} is larger than any picture that is read; save a smaller copy")]
    PartTooLarge {
        /// The format of the content.
        format: &'static str,
    },
    /// An image has no pixel.
    #[error("a picture of {width}x{height} holds no pixel")]
    NoPixels {
        /// Width that the header claims.
        width: u32,
        /// Height that the header claims.
        height: u32,
    },
    /// Decoding an image needs more memory than all decoder threads may have.
    #[error(
        "decoding {width}x{height} pixels of this format needs {needed} bytes of memory, more than the limit of {budget}; scale it down, or allow larger pictures if you trust it"
    )]
    OverBudget {
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
        /// Bytes that decoding needs.
        needed: u64,
        /// The whole budget.
        budget: u64,
    },
    /// Pixels do not fill a picture of the size that was given.
    #[error(
        "{n_bytes} bytes are no RGB picture of {width}x{height}; give height * width * 3, and no empty side"
    )]
    PixelCount {
        /// Width that was given.
        width: u32,
        /// Height that was given.
        height: u32,
        /// Bytes that were given.
        n_bytes: usize,
    },
    /// A tensor was asked of no picture at all.
    #[error("there is no picture to make a tensor of")]
    NoPictures,
    /// A tensor was asked of pictures of two sizes.
    #[error("the first picture is {}x{}, another {}x{}; bring them to one size first", first.0, first.1, other.0, other.1)]
    SizesDiffer {
        /// Width and height of the first picture.
        first: (u32, u32),
        /// Width and height of one that differs.
        other: (u32, u32),
    },
}
