//! Measurements on a picture that can stand behind an artifact.
//!
//! A [`Measure`] is a number about a picture, with a map of where it comes from; [`Calibration`] says how
//! it is spread over camera pictures and over generated ones; [`EvidenceExplainer`] names an artifact
//! where a number is out of the ordinary at a place where the detector looked.

mod calibration;
mod colour;
mod edge;
mod explainer;
mod light;
mod measure;
mod noise;
mod plane;
mod sharpness;
mod spectrum;
mod survey;
mod view;

pub use calibration::{Calibration, CalibrationFault, Spread};
pub use explainer::EvidenceExplainer;
pub use measure::{Measure, Side, measure_all};
pub use survey::{Survey, SurveyRow};

use gradcam::HeatMap;

use plane::Plane;

/// What a measure finds on a picture.
struct Measured {
    value: f64,
    /// Where the value comes from: not negative, of any size, the larger the more.
    map: Plane,
}

impl Measured {
    fn heat_map(self) -> HeatMap {
        let (height, width) = (self.map.height, self.map.width);
        let values = self.map.into_values();
        // Relative to the largest, so that no large sum of squares is lost in f32.
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        HeatMap::scaled(values.into_iter().map(|v| (v / most) as f32).collect(), height, width)
    }
}
