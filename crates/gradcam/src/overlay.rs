//! A map laid over its picture.

use cifake::Picture;
use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::HeatMap;

/// Perceptually even colours: equal steps of a map look equally far apart, also without colour
/// vision and in grey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colours {
    /// Dark violet by green to yellow.
    #[default]
    Viridis,
    /// Black by red to pale yellow.
    Inferno,
    /// Black by purple to pale yellow.
    Magma,
    /// Dark blue by grey to yellow, made for red-green blindness.
    Cividis,
}

impl Colours {
    /// The colour of a value of 0 to 1.
    #[must_use]
    pub fn of(self, value: f32) -> [u8; 3] {
        let gradient = match self {
            Self::Viridis => colorous::VIRIDIS,
            Self::Inferno => colorous::INFERNO,
            Self::Magma => colorous::MAGMA,
            Self::Cividis => colorous::CIVIDIS,
        };
        gradient.eval_continuous(f64::from(value.clamp(0.0, 1.0))).into_array()
    }
}

/// `picture` enlarged so that its longer side has at least `side` pixels, each of its own a square,
/// under `map` in colours. The stronger the map, the more it covers, up to `opacity`.
#[must_use]
pub fn overlay(
    picture: &Picture,
    map: &HeatMap,
    colours: Colours,
    opacity: f32,
    side: u32,
) -> RgbImage {
    let zoom = side.div_ceil(picture.width().max(picture.height())).max(1);
    let (width, height) = (picture.width() * zoom, picture.height() * zoom);
    let map = map.resized(height as usize, width as usize);
    RgbImage::from_fn(width, height, |x, y| {
        let at = ((y / zoom * picture.width() + x / zoom) * 3) as usize;
        let value = map.values()[(y * width + x) as usize];
        let colour = colours.of(value);
        let share = opacity.clamp(0.0, 1.0) * value;
        Rgb(std::array::from_fn(|channel| {
            let below = f32::from(picture.pixels()[at + channel]);
            (below + share * (f32::from(colour[channel]) - below)).round() as u8
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_map_leaves_out_is_the_picture_itself() {
        let picture = Picture::new((0..2 * 2 * 3).map(|i| i * 20).collect(), 2, 2).expect("2x2");
        let map = HeatMap::scaled(vec![0.0, 0.0, 0.0, 1.0], 2, 2);
        let image = overlay(&picture, &map, Colours::Viridis, 1.0, 64);
        assert_eq!(image.dimensions(), (64, 64));
        assert_eq!(image.get_pixel(3, 3).0, [0, 20, 40]);
        let strongest = image.get_pixel(63, 63).0.into_iter().zip(Colours::Viridis.of(1.0));
        assert!(strongest.into_iter().all(|(ours, full)| ours.abs_diff(full) <= 1));
        let plain = overlay(&picture, &map, Colours::Viridis, 0.0, 1);
        assert_eq!(plain.as_raw(), picture.pixels());
    }

    #[test]
    fn colours_grow_lighter_with_the_value() {
        let light = |[r, g, b]: [u8; 3]| {
            0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b)
        };
        for colours in [Colours::Viridis, Colours::Inferno, Colours::Magma, Colours::Cividis] {
            let levels: Vec<f32> = (0..=20).map(|i| light(colours.of(i as f32 / 20.0))).collect();
            assert!(levels.is_sorted(), "{colours:?}: {levels:?}");
        }
    }
}
