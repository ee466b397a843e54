//! Errors of this crate.

/// Why a file could not be read at all. Damage inside a picture is no error:
/// [`Declarations::damage`](crate::Declarations) names it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes begin like no picture.
    #[error(
        "the file is no picture that can be read: JPEG, PNG, WebP, GIF, TIFF, SVG, AVIF and HEIC are"
    )]
    Format,
    /// The file is longer than the caller allows.
    #[error("the file has more than {max_bytes} bytes; allow more, or take a smaller picture")]
    TooLarge {
        /// The caller's limit.
        max_bytes: u64,
    },
    /// The trust list is no list of certificates.
    #[cfg(feature = "c2pa")]
    #[error("the trust list must hold one or more X.509 certificates in PEM, and no other blocks")]
    TrustList,
    /// The file could not be opened or read.
    #[error("the file could not be read")]
    Io(#[from] std::io::Error),
}
