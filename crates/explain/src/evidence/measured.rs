//! A value of a measure and its map.

use gradcam::HeatMap;

use super::plane::Plane;

/// The result of a measure on a picture.
pub(super) struct Measured {
    pub(super) value: f64,
    /// The part of the value that comes from each place: not negative, of any size.
    pub(super) map: Plane,
}

impl Measured {
    pub(super) fn heat_map(self) -> HeatMap {
        let (height, width) = (self.map.height, self.map.width);
        let values = self.map.into_values();
        // Relative to the largest, so that no large sum of squares is lost in f32.
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        HeatMap::scaled(values.into_iter().map(|v| (v / most) as f32).collect(), height, width)
    }
}
