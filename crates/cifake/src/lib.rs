//! The vocabulary of AI-image detection: pixels and tensors, labels, data sets, the traits of a
//! detector, metrics, evaluation, devices and weight files.

mod answer;
mod batch;
mod dataset;
pub mod device;
mod drawing;
mod error;
mod evaluate;
pub mod file;
mod image;
mod invisible;
mod label;
mod manifest;
pub mod metrics;
mod near_duplicate;
#[cfg(feature = "plot")]
pub mod plot;
mod scorer;
mod split;
mod unique;
pub mod weights;

pub use answer::{Answer, Scope};
pub use batch::{Batch, Batches, load_pixels};
#[cfg(feature = "zip")]
pub use dataset::ZipDataset;
pub use dataset::{Class, Dataset, ImageFolder, Origin, Sample, Split, image_files, open_dataset};
#[cfg(feature = "parquet")]
pub use dataset::{LabelOrder, ParquetColumn, ParquetDataset, ParquetFile, ParquetRows};
pub use drawing::Drawing;
pub use error::Error;
pub use evaluate::{
    Answered, Breakdown, EvaluateOptions, FailedSample, GroupRow, Report, ScoredSample, evaluate,
};
pub use image::{
    DecodeLimits, Decoder, Filter, Fitted, InputFit, Picture, PictureError, is_near_grey,
    rgb8_from_tensor, tensor_from_flat_rgb8, tensor_from_rgb8,
};
pub use invisible::is_invisible;
pub use label::Label;
pub use manifest::{Manifest, ManifestRow, pixel_hash};
pub use near_duplicate::{NearDuplicate, near_duplicates};
pub use scorer::{
    Classifier, Differentiable, FeatureClassifier, FnScorer, Layer, ProbabilityOfFake, Scorer,
    class_scores,
};
pub use split::{ValidationSplit, balanced_sample, validation_split};
pub use unique::unique_samples;
