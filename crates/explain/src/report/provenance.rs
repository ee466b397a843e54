//! Origin of a report.

use gradcam::Method;

/// Origin of a picture and its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Name of the picture.
    pub path: String,
    /// Width of the given picture, in pixels.
    pub width: u32,
    /// Height of the given picture, in pixels.
    pub height: u32,
    /// The model that gave the verdict.
    pub model: String,
    /// Probability from which on a picture is called FAKE.
    pub threshold: f32,
    /// Method of the map.
    pub method: Method,
}
