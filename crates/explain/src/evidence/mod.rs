//! Measurements on a picture that can support an artifact.
//!
//! A [`Measure`] is a number about a picture, with a map of the places from which it comes. A
//! [`Calibration`] holds the distribution of each measure over camera pictures and over generated
//! pictures. [`EvidenceExplainer`] names an artifact if a number is out of the ordinary at a place
//! that the detector's map marks.

mod calibration;
mod color;
mod edge;
mod explainer;
pub(crate) mod fault;
mod light;
mod measure;
mod measured;
mod noise;
mod plane;
mod sharpness;
mod spectrum;
mod survey;
mod view;

pub use calibration::{Calibration, Spread};
pub use explainer::EvidenceExplainer;
pub use fault::{CalibrationFault, UnknownMeasure};
pub use measure::{Measure, Side, measure_all};
pub use survey::{Survey, SurveyRow};
