//! A picture under its map.

use cifake::{Filter, Picture};
use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use crate::HeatMap;

/// A perceptually uniform colormap: equal steps of a map look equally far apart, also in gray and to
/// color-blind readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Colormap {
    /// Dark violet, green, yellow.
    #[default]
    Viridis,
    /// Black, red, pale yellow.
    Inferno,
    /// Black, purple, pale yellow.
    Magma,
    /// Dark blue, gray, yellow, made for red-green blindness.
    Cividis,
}

impl Colormap {
    /// The color of `value`, which is clamped to 0 to 1: red, green and blue.
    #[must_use]
    pub fn color(self, value: f32) -> [u8; 3] {
        let gradient = match self {
            Self::Viridis => colorous::VIRIDIS,
            Self::Inferno => colorous::INFERNO,
            Self::Magma => colorous::MAGMA,
            Self::Cividis => colorous::CIVIDIS,
        };
        gradient.eval_continuous(f64::from(value.clamp(0.0, 1.0))).into_array()
    }
}

/// `picture` under `map`, which is stretched over the whole of it.
///
/// Pixels are repeated by a whole factor until the longer side has at least `side` of them. A place
/// of the map covers the picture by `opacity` (0 to 1) times its value.
#[must_use]
pub fn overlay(
    picture: &Picture,
    map: &HeatMap,
    colormap: Colormap,
    opacity: f32,
    side: u32,
) -> RgbImage {
    let zoom = side.div_ceil(picture.width().max(picture.height())).max(1);
    let (width, height) = (picture.width() * zoom, picture.height() * zoom);
    let map = map.resized(height as usize, width as usize);
    RgbImage::from_fn(width, height, |x, y| {
        let at = ((y / zoom * picture.width() + x / zoom) * 3) as usize;
        let value = map.values()[(y * width + x) as usize];
        let color = colormap.color(value);
        let share = opacity.clamp(0.0, 1.0) * value;
        Rgb(std::array::from_fn(|channel| {
            let below = f32::from(picture.pixels()[at + channel]);
            (below + share * (f32::from(color[channel]) - below)).round() as u8
        }))
    })
}

/// `picture` with at most `max_side` pixels a side, at its own aspect: to lay a map over a photograph.
///
/// # Panics
///
/// If `max_side` is 0 and the picture is not empty.
#[must_use]
pub fn reduced(picture: &Picture, max_side: u32) -> Picture {
    let longer = picture.width().max(picture.height());
    if longer <= max_side {
        return picture.clone();
    }
    let scale = |side: u32| {
        let scaled = f64::from(side) * f64::from(max_side) / f64::from(longer);
        (scaled.round() as u32).clamp(1, max_side)
    };
    picture.resized(scale(picture.width()), scale(picture.height()), Filter::Lanczos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_value_0_show_the_picture_itself() {
        let picture = Picture::new((0..2 * 2 * 3).map(|i| i * 20).collect(), 2, 2).expect("2x2");
        let map = HeatMap::scaled(vec![0.0, 0.0, 0.0, 1.0], 2, 2);
        let image = overlay(&picture, &map, Colormap::Viridis, 1.0, 64);
        assert_eq!(image.dimensions(), (64, 64));
        assert_eq!(image.get_pixel(3, 3).0, [0, 20, 40]);
        let strongest = image.get_pixel(63, 63).0.into_iter().zip(Colormap::Viridis.color(1.0));
        assert!(strongest.into_iter().all(|(ours, full)| ours.abs_diff(full) <= 1));
        let plain = overlay(&picture, &map, Colormap::Viridis, 0.0, 1);
        assert_eq!(plain.as_raw(), picture.pixels());
    }

    #[test]
    fn a_large_picture_is_reduced_at_its_own_aspect() {
        let picture = Picture::new(vec![7; 40 * 10 * 3], 40, 10).expect("40x10");
        let size = |picture: Picture| (picture.width(), picture.height());
        assert_eq!(size(reduced(&picture, 20)), (20, 5));
        assert_eq!(size(reduced(&picture, 1)), (1, 1));
        assert_eq!(reduced(&picture, 40), picture);
    }

    #[test]
    fn colors_grow_lighter_with_the_value() {
        let light = |[r, g, b]: [u8; 3]| {
            0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b)
        };
        for colormap in [Colormap::Viridis, Colormap::Inferno, Colormap::Magma, Colormap::Cividis] {
            let levels: Vec<f32> =
                (0..=20).map(|i| light(colormap.color(i as f32 / 20.0))).collect();
            assert!(levels.is_sorted(), "{colormap:?}: {levels:?}");
        }
    }
}
