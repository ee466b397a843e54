//! The kind of failure that an error is, for programs that answer for others, and the file that failed.

use std::path::PathBuf;

use crate::{DatasetError, DetectorError, Error, PictureError};

/// The kind of failure that an error is.
///
/// Of a picture that a client sends to a server, `InvalidInput` is a status of 400, `TooLarge` of 413 and
/// `Unsupported` of 415; every other kind is one of 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system or the network refused: a file cannot be read or written, a thread not be started.
    Io,
    /// The input or an argument cannot be used: it is no picture, no data set, no known name, no valid number.
    InvalidInput,
    /// The input exceeds a limit on size or memory.
    TooLarge,
    /// A file of the program's own, such as weights or a manifest, is broken.
    Corrupt,
    /// The input is valid, and this build or version does not read it.
    Unsupported,
    /// A fault of the caller's code or of a library.
    Bug,
}

impl Error {
    /// The same error with the file, or the sample's name, that it is about.
    #[must_use]
    pub fn in_file(self, path: impl Into<PathBuf>) -> Self {
        Self::InFile { path: path.into(), source: Box::new(self) }
    }

    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InFile { source, .. } => source.kind(),
            Self::Picture(error) => error.kind(),
            Self::Detector(error) => error.kind(),
            Self::Dataset(error) => error.kind(),
            #[cfg(feature = "network")]
            Self::Hub(_) => ErrorKind::Io,
            Self::Figure { .. }
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::NotFlushed { .. }
            | Self::Threads { .. } => ErrorKind::Io,
            Self::FileTooLarge { .. }
            | Self::WeightsTooLarge { .. }
            | Self::ActivationsTooLarge { .. } => ErrorKind::TooLarge,
            Self::DeviceNotCompiled { .. }
            | Self::PytorchNotCompiled { .. }
            | Self::WeightType { .. } => ErrorKind::Unsupported,
            Self::LengthMismatch { .. }
            | Self::ScoreNotFinite { .. }
            | Self::ScoreNotProbability { .. } => ErrorKind::Bug,
            Self::NoImages { .. }
            | Self::EmptySplit { .. }
            | Self::NotInManifest { .. }
            | Self::TooManyThreads { .. }
            | Self::UnknownDevice { .. }
            | Self::NoSamples
            | Self::OneLabel { .. }
            | Self::Calibration(_) => ErrorKind::InvalidInput,
            #[cfg(feature = "parquet")]
            Self::LabelOrder { .. } => ErrorKind::InvalidInput,
            #[cfg(feature = "zip")]
            Self::Zip { .. }
            | Self::ZipEntry { .. }
            | Self::Collection { .. }
            | Self::CollectionRow { .. } => ErrorKind::Corrupt,
            #[cfg(feature = "parquet")]
            Self::Parquet { .. } | Self::ParquetColumns { .. } | Self::ParquetRow { .. } => {
                ErrorKind::Corrupt
            }
            Self::Manifest { .. }
            | Self::ManifestHash { .. }
            | Self::ManifestOfOtherData { .. }
            | Self::NotSafetensors { .. }
            | Self::NotPytorch { .. }
            | Self::MissingWeights { .. }
            | Self::UnusedWeights { .. }
            | Self::DuplicateWeights { .. }
            | Self::WeightShape { .. }
            | Self::WeightConfig { .. }
            | Self::WeightNotFinite { .. }
            | Self::WeightUnreadable { .. } => ErrorKind::Corrupt,
        }
    }
}

impl DatasetError {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DatasetTooLarge { .. } => ErrorKind::TooLarge,
            _ => ErrorKind::InvalidInput,
        }
    }
}

impl DetectorError {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownNetwork { .. } => ErrorKind::Unsupported,
            Self::Calibration { .. } | Self::NotFinite { .. } => ErrorKind::Corrupt,
            Self::UnknownWeights { .. }
            | Self::TooFewPictures { .. }
            | Self::FlatFeatures
            | Self::SaturatedProbabilities
            | Self::Threshold { .. } => ErrorKind::InvalidInput,
        }
    }
}

impl PictureError {
    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ImageTooLarge { .. }
            | Self::TooManyPixels { .. }
            | Self::OverBudget { .. }
            | Self::PartTooLarge { .. } => ErrorKind::TooLarge,
            Self::UnsupportedColor { .. } => ErrorKind::Unsupported,
            Self::NoPictures | Self::SizesDiffer { .. } => ErrorKind::Bug,
            // A picture that makes a decoder panic is a broken one.
            _ => ErrorKind::InvalidInput,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeLimits, Decoder, Threads, device};

    fn png(side: u32) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(side, side)
            .write_to(&mut bytes, image::ImageFormat::Png)
            .expect("a vector takes it");
        bytes.into_inner()
    }

    #[test]
    fn a_request_is_told_from_a_server() {
        let limits = DecodeLimits { max_pixels: 16, ..DecodeLimits::default() };
        let decode = |bytes: &[u8]| Decoder::new(limits).decode_fitted(bytes, 4, 4);
        let kind =
            |outcome: Result<crate::Fitted, Error>| outcome.map(|_| ()).map_err(|e| e.kind());
        assert_eq!(kind(decode(&png(4))), Ok(()));
        assert_eq!(kind(decode(&png(5))), Err(ErrorKind::TooLarge));
        assert_eq!(kind(decode(b"no picture")), Err(ErrorKind::InvalidInput));
        assert_eq!(kind(decode(&png(4)[..40])), Err(ErrorKind::InvalidInput));
        let named = decode(&png(5)).map_err(|error| error.in_file("a.png"));
        assert_eq!(kind(named), Err(ErrorKind::TooLarge));
        let missing = Decoder::default().read_fitted("no such file".as_ref(), 4, 4);
        assert_eq!(kind(missing), Err(ErrorKind::Io));
        let kind_of = |error: Error| error.kind();
        assert_eq!(
            Threads::new(1 << 20).map(|_| ()).map_err(kind_of),
            Err(ErrorKind::InvalidInput)
        );
        assert_eq!(device::parse("gpu").map(|_| ()).map_err(kind_of), Err(ErrorKind::InvalidInput));
        #[cfg(not(feature = "cuda"))]
        assert_eq!(device::parse("cuda").map(|_| ()).map_err(kind_of), Err(ErrorKind::Unsupported));
        let threshold = Error::from(DetectorError::Threshold { value: 2.0 });
        assert_eq!(threshold.kind(), ErrorKind::InvalidInput);
    }
}
