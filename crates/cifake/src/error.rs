//! Errors at the doors of this crate.

use std::io;
use std::path::PathBuf;

use crate::{Label, PictureError, Split};

/// An error of this crate: it names the file, keeps its cause and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A figure that cannot be drawn.
    #[error("cannot draw {}: {reason}", path.display())]
    Figure {
        /// The file that it would have become.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}; check that it exists and that you may read it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// An image could not be used, and this is the file that it came from.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file, or the name of the sample within its data set.
        path: PathBuf,
        /// The fault of the file.
        source: Box<Error>,
    },
    /// An image, or pixels that should be one, could not be used.
    #[error(transparent)]
    Picture(#[from] PictureError),

    /// A folder holds no image at any depth.
    #[error("{} holds no image; name a folder with PNG, JPEG, WebP, BMP or GIF files", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
    },
    /// A data set has no sample of the split that was asked for.
    #[error("{} has no sample of the split `{split}`; ask for another, or for none", path.display())]
    EmptySplit {
        /// The data set.
        path: PathBuf,
        /// The split.
        split: Split,
    },
    /// A zip archive breaks the rules of its format.
    #[cfg(feature = "zip")]
    #[error("{} is no readable zip archive: {source}; download it again", path.display())]
    Zip {
        /// The archive.
        path: PathBuf,
        /// The error of the zip reader.
        source: zip::result::ZipError,
    },
    /// An entry of a zip archive cannot be read.
    #[cfg(feature = "zip")]
    #[error("`{entry}` in {} {reason}; pack or download the archive again", path.display())]
    ZipEntry {
        /// The archive.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// The fault of the entry.
        reason: &'static str,
    },

    /// The table of a collection is no CSV of the columns that it must have.
    #[cfg(feature = "zip")]
    #[error("{} is no table of a collection of pictures: {source}; download it again", path.display())]
    Collection {
        /// The table.
        path: PathBuf,
        /// The error of the CSV reader, with its place in the table.
        source: csv::Error,
    },
    /// A row of the table of a collection cannot be used.
    #[cfg(feature = "zip")]
    #[error("row {row} of {} {reason}; download the table and its pictures again", path.display())]
    CollectionRow {
        /// The table.
        path: PathBuf,
        /// The row, counted from 1 after the names of the columns.
        row: usize,
        /// The fault of the row.
        reason: &'static str,
    },

    /// A parquet file breaks the rules of its format, or uses a part of it that is not read.
    #[cfg(feature = "parquet")]
    #[error("{} is no readable parquet file: {source}; write it with snappy or gzip, or download it again", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The error of the parquet reader.
        source: parquet::errors::ParquetError,
    },
    /// A parquet file lacks the columns of labelled pictures.
    #[cfg(feature = "parquet")]
    #[error("{} lacks the columns `image` {{bytes, path}} and `label`", path.display())]
    ParquetColumns {
        /// The file.
        path: PathBuf,
    },
    /// A row of a parquet file is no labelled picture.
    #[cfg(feature = "parquet")]
    #[error("row {row} of {} has no picture, or no label of 0 or 1", path.display())]
    ParquetRow {
        /// The file.
        path: PathBuf,
        /// The row, counted from 0.
        row: usize,
    },
    /// A parquet file does not say which number is which label.
    #[cfg(feature = "parquet")]
    #[error("{} does not name its labels; write the names REAL and FAKE into its column of labels, or tell the order of the labels", path.display())]
    LabelOrder {
        /// The file.
        path: PathBuf,
    },

    /// A manifest is no CSV of the columns that a manifest has.
    #[error("{} is no manifest: {source}; compute it again", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The error of the CSV reader, with its place in the manifest.
        source: csv::Error,
    },
    /// A pixel hash in a manifest is not 16 hexadecimal digits.
    #[error("row {row} of {} has a `pixel_sha256_16` that is not 16 hexadecimal digits; compute it again", path.display())]
    ManifestHash {
        /// The manifest.
        path: PathBuf,
        /// The row, counted from 1 after the names of the columns.
        row: usize,
    },
    /// A manifest calls two pictures copies that are none.
    #[error("{} calls `{id}` a copy of a picture that it is not; remove the manifest, or compute it again", path.display())]
    ManifestOfOtherData {
        /// The manifest.
        path: PathBuf,
        /// A picture that differs from its copy.
        id: String,
    },
    /// A manifest does not know a sample.
    #[error(
        "`{id}` is not among the {split} pictures of the manifest; compute it again for this data set"
    )]
    NotInManifest {
        /// The sample.
        id: String,
        /// The split that it was looked for in.
        split: Split,
    },

    /// A file could not be written; an old one of that name is unchanged.
    #[error("cannot write {}: {source}; check that its folder exists and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file was written and stands in its place, but the disk may not hold it yet.
    #[error("{} is written, but its folder could not be flushed to the disk; it may be lost if the machine stops now", path.display())]
    NotFlushed {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file is larger than the reader was told to accept.
    #[error("{} has {bytes} bytes, more than the limit of {limit}; raise the limit if you trust it", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The bytes of the file, or those that were read before giving up.
        bytes: u64,
        /// The most that is accepted.
        limit: u64,
    },

    /// A device name that no build of this crate knows.
    #[error("unknown device `{name}`; use flex, ndarray, wgpu, wgpu:N, cuda or cuda:N")]
    UnknownDevice {
        /// The name as it was given.
        name: String,
    },
    /// A device whose backend is not part of this build.
    #[error("device `{name}` is not compiled in; build again with `--features {feature}`")]
    DeviceNotCompiled {
        /// The name as it was given.
        name: String,
        /// The cargo feature that brings the backend.
        feature: &'static str,
    },

    /// A pool of threads could not be started.
    #[error("cannot start {} (0: one a core): {source}; ask for fewer", crate::text::counted(*n_threads, "thread"))]
    Threads {
        /// The number that was asked for.
        n_threads: usize,
        /// The error of the thread pool.
        source: rayon::ThreadPoolBuildError,
    },

    /// More threads than one pool may have.
    #[error("{n_threads} threads are more than the limit of {limit}; ask for fewer")]
    TooManyThreads {
        /// The number that was asked for.
        n_threads: usize,
        /// The most that is accepted.
        limit: usize,
    },

    /// Metrics were asked of no samples at all.
    #[error("there is no sample to measure")]
    NoSamples,
    /// Two lists that go together have different lengths.
    #[error("the numbers of scores ({scores}) and labels ({labels}) differ; give equally many")]
    LengthMismatch {
        /// Length of the first list.
        scores: usize,
        /// Length of the second.
        labels: usize,
    },
    /// A score is NaN or infinite.
    #[error("the score of sample {index} is {score}; the detector or its input is broken")]
    ScoreNotFinite {
        /// Position of the sample.
        index: usize,
        /// The score.
        score: f32,
    },
    /// A calibration metric was asked of scores that are no probabilities.
    #[error("the score of sample {index} is {score}, no probability; calibration needs [0, 1]")]
    ScoreNotProbability {
        /// Position of the sample.
        index: usize,
        /// The score.
        score: f32,
    },
    /// A metric that compares REAL with FAKE was asked of samples of one label.
    #[error("there is no sample labelled {missing}; this metric compares both labels")]
    OneLabel {
        /// The label that no sample has.
        missing: Label,
    },

    /// A calibration could not be fitted.
    #[error(transparent)]
    Calibration(#[from] crate::CalibrationError),
    /// Weights would take more memory than the reader was told to accept.
    #[error("the weights in {} take {bytes} bytes of memory, more than the limit of {limit}; raise the limit if you trust the file", path.display())]
    WeightsTooLarge {
        /// The weight file.
        path: PathBuf,
        /// The bytes that they would take.
        bytes: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// A weight file declares a network whose activations would take more memory than is accepted.
    #[error("the network in {} needs {bytes} bytes of memory for one picture, more than the limit of {limit}; its configuration declares too large a picture or window", path.display())]
    ActivationsTooLarge {
        /// The weight file.
        path: PathBuf,
        /// The bytes that the activations of one picture would take.
        bytes: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// A weight file's content breaks the safetensors format.
    #[error("{} is no safetensors file: {source}; download it again or convert it", path.display())]
    NotSafetensors {
        /// The weight file.
        path: PathBuf,
        /// The fault of the format.
        source: safetensors::SafeTensorError,
    },
    /// A weight file holds a PyTorch pickle, which this build does not read.
    #[error("{} is a PyTorch pickle; build with the feature `pytorch`, or convert it to safetensors", path.display())]
    PytorchNotCompiled {
        /// The weight file.
        path: PathBuf,
    },
    /// A PyTorch checkpoint could not be read. Nothing in it was executed.
    #[error("{} is no readable PyTorch checkpoint: {source}", path.display())]
    NotPytorch {
        /// The weight file.
        path: PathBuf,
        /// The error of the checkpoint reader.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The model has weights that the file lacks.
    #[error("{} lacks {} that the model needs, first: {}; is it of another configuration?", path.display(), crate::text::counted(keys.len(), "weight"), first(keys))]
    MissingWeights {
        /// The weight file.
        path: PathBuf,
        /// The model's names of all of them, sorted.
        keys: Vec<String>,
    },
    /// The file has weights that the model lacks.
    #[error("{} has {} that the model does not use, first: {}; is it of another configuration?", path.display(), crate::text::counted(keys.len(), "weight"), first(keys))]
    UnusedWeights {
        /// The weight file.
        path: PathBuf,
        /// All of them, named as the model would name them, sorted.
        keys: Vec<String>,
    },
    /// Two weights of a file have the same name once they are renamed.
    #[error("{} has two weights that become `{key}` in the model; its names are not those of this map", path.display())]
    DuplicateWeights {
        /// The weight file.
        path: PathBuf,
        /// The name that both get.
        key: String,
    },
    /// A weight has another shape than the model's.
    #[error("`{key}` in {} has the shape {found:?} where the model has {expected:?}; is it of another configuration?", path.display())]
    WeightShape {
        /// The weight file.
        path: PathBuf,
        /// The model's name of the weight.
        key: String,
        /// The model's shape.
        expected: Vec<usize>,
        /// The file's shape, in the model's layout.
        found: Vec<usize>,
    },
    /// A weight has an element type that is not read.
    #[error("`{key}` in {} is of type {dtype}; save it as float32, float16 or bfloat16", path.display())]
    WeightType {
        /// The weight file.
        path: PathBuf,
        /// The name of the weight.
        key: String,
        /// The type.
        dtype: String,
    },
    /// A weight file whose configuration is missing, or of no model that can be built.
    #[error("{} is not a weight file of this project: {reason}", path.display())]
    WeightConfig {
        /// The weight file.
        path: PathBuf,
        /// The fault of the file.
        reason: String,
    },
    /// A weight is NaN or infinite, or would be in the precision that was asked for.
    #[error("`{key}` in {} has the value {value} at position {index}; the file is broken or its training diverged", path.display())]
    WeightNotFinite {
        /// The weight file.
        path: PathBuf,
        /// The name of the weight.
        key: String,
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A weight's bytes could not be read.
    #[error("`{key}` in {} cannot be read: {reason}", path.display())]
    WeightUnreadable {
        /// The weight file.
        path: PathBuf,
        /// The name of the weight.
        key: String,
        /// The error of the weight store.
        reason: String,
    },
    /// Pictures that cannot be found, or whose labels cannot be told.
    #[error(transparent)]
    Dataset(#[from] crate::DatasetError),
    /// A detector could not be made, or could not answer.
    #[error(transparent)]
    Detector(#[from] crate::DetectorError),
    /// A file could not be had from a hub.
    #[cfg(feature = "network")]
    #[error(transparent)]
    Hub(#[from] crate::weights::HubError),
}

/// The first of `keys`, for a message.
fn first(keys: &[String]) -> &str {
    keys.first().map_or("none", String::as_str)
}
