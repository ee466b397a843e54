//! The vocabulary of AI-image detection: pixels and tensors, labels, data sets, the traits of a
//! detector, metrics, evaluation, devices and weight files.

mod batch;
mod dataset;
pub mod device;
mod error;
pub mod file;
mod image;
mod label;
pub mod metrics;
mod scorer;
pub mod weights;

pub use batch::{Batch, Batches, load_pixels};
#[cfg(feature = "zip")]
pub use dataset::ZipDataset;
pub use dataset::{Class, Dataset, ImageFolder, Sample, Split, image_files, open_dataset};
pub use error::Error;
pub use image::{
    DecodeLimits, Decoder, Fitted, InputFit, Picture, is_near_grey, rgb8_from_tensor,
    tensor_from_flat_rgb8, tensor_from_rgb8,
};
pub use label::Label;
pub use scorer::{
    Classifier, Differentiable, FeatureClassifier, FnScorer, Layer, ProbabilityOfFake, Scorer,
};
