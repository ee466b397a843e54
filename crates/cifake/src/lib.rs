//! The vocabulary of AI-image detection: pixels and tensors, labels, data sets, the traits of a
//! detector, metrics, evaluation, devices and weight files.

mod error;
mod label;
mod scorer;

pub use error::Error;
pub use label::Label;
pub use scorer::{
    Classifier, Differentiable, FeatureClassifier, FnScorer, Layer, ProbabilityOfFake, Scorer,
};
