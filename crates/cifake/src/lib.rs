//! The core of AI-image detection: pixels and tensors, labels, data sets, devices, weight files, and the
//! [`Detector`] over any network of a [`Registry`].
//!
//! The package `cifake-eval` measures how good a detector is.

mod answer;
mod batch;
mod calibration_error;
mod chain;
mod dataset;
mod detector;
pub mod device;
mod drawing;
mod error;
mod error_kind;
mod familiarity;
pub mod file;
mod guard;
mod image;
mod label;
mod network;
mod observation;
mod registry;
mod scorer;
mod split;
pub mod text;
mod threads;
pub mod weights;

pub use answer::{Answer, Scope};
pub use batch::{Batch, Batches, batch_within, load_pixels};
pub use calibration_error::CalibrationError;
pub use chain::error_chain;
#[cfg(feature = "zip")]
pub use dataset::ZipDataset;
pub use dataset::{
    Class, Dataset, DatasetError, DatasetPart, FittedDataset, FoundImage, ImageFolder, ImageSearch,
    LabelNames, Origin, ReadableDataset, Sample, SeenFiles, Split, SplitDataset, find_images,
    image_files, is_collection, is_image_file, open_dataset, open_dataset_named, readable,
};
#[cfg(feature = "parquet")]
pub use dataset::{
    LabelOrder, ParquetBytes, ParquetColumn, ParquetDataset, ParquetFile, ParquetList, ParquetRow,
    ParquetRows, ParquetValue,
};
pub use detector::{
    Answers, Curve, Detector, DetectorBuilder, DetectorError, Input, Summary, Verdict, json_line,
    json_line_with, save_with_answers, table_header, table_row, uncalibrated,
};
pub use drawing::Drawing;
pub use error::Error;
pub use error_kind::ErrorKind;
pub use familiarity::{
    Familiarity, N_PIXEL_STATISTICS, StrangerScore, StrangerScores, pixel_statistics,
};
pub use guard::{guarded, is_guarded};
pub use image::{
    DecodeLimits, Decoder, Filter, Fitted, InputFit, Picture, PictureError, is_near_grey,
    rgb8_from_tensor, tensor_from_flat_rgb8, tensor_from_rgb8,
};
pub use label::Label;
pub use network::{EmbeddingClassifier, Network};
pub use observation::{Observation, Observed};
pub use registry::{Loader, Registry};
pub use scorer::{
    Classifier, Differentiable, FeatureClassifier, FnScorer, Layer, ProbabilityOfFake, Scorer,
    class_scores,
};
pub use split::{ValidationSplit, balanced_sample, validation_split};
pub use threads::{MAX_THREADS, Threads};
