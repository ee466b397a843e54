//! Measurements on a picture that can stand behind an artifact.
//!
//! A [`Measure`] is a number about a picture; [`Calibration`] says how it is spread over
//! camera pictures and over generated ones; [`EvidenceExplainer`] names an artifact where a number is
//! out of the ordinary at a place where the detector looked.

mod calibration;
mod colour;
mod edge;
mod explainer;
mod measure;
mod noise;
mod spectrum;
mod survey;
mod view;

pub use calibration::{Calibration, Spread};
pub use explainer::EvidenceExplainer;
pub use measure::{Measure, Side, measure_all};
pub use survey::{Survey, SurveyRow};
