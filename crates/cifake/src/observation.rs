//! The detector's view of a picture, before it answers.

use crate::{InputFit, N_PIXEL_STATISTICS, Sample};

/// The detector's view of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Class scores before calibration: REAL, FAKE.
    pub logits: [f32; 2],
    /// The embedding that the head's last linear layer reads.
    pub features: Vec<f32>,
    /// [`pixel_statistics`](crate::pixel_statistics) of the picture at the model's size.
    pub statistics: [f32; N_PIXEL_STATISTICS],
    /// The way in which the picture was brought to the model's size.
    pub input: InputFit,
    /// Width of the picture as it was given, in pixels.
    pub width: u32,
    /// Height of the picture as it was given, in pixels.
    pub height: u32,
}

/// Samples with what a detector saw of them.
pub type Observed = Vec<(Sample, Observation)>;

impl Observation {
    /// The logit of FAKE against REAL, before calibration.
    #[must_use]
    pub fn margin(&self) -> f32 {
        self.logits[1] - self.logits[0]
    }
}
