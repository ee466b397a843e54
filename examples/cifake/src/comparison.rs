//! Original, attacked and difference, side by side.

use cifake::Picture;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

/// The factor that amplifies a difference.
const GAIN: f32 = 10.0;
/// Least side of a tile, so that a picture of 32 pixels can be looked at.
const SIDE: u32 = 256;
/// Between tiles.
const GAP: u32 = 8;

/// A picture of three tiles: `original`, `attacked`, and ten times their difference about grey.
#[must_use]
pub(crate) fn side_by_side(original: &Picture, attacked: &Picture) -> RgbImage {
    let (width, height) = (original.width(), original.height());
    let change = |(a, b): (&u8, &u8)| 127.5 + GAIN * (f32::from(*b) - f32::from(*a));
    let pairs = original.pixels().iter().zip(attacked.pixels());
    let difference = pairs.map(|pair| change(pair).round() as u8).collect();
    let difference = RgbImage::from_raw(width, height, difference).expect("as many bytes");
    let tiles = [original.clone().into(), attacked.clone().into(), difference];
    let zoom = SIDE.div_ceil(width.max(height)).max(1);
    let (tile_width, tile_height) = (width * zoom, height * zoom);
    let mut sheet =
        RgbImage::from_pixel(3 * tile_width + 2 * GAP, tile_height, Rgb([255, 255, 255]));
    for (i, tile) in tiles.iter().enumerate() {
        let tile = imageops::resize(tile, tile_width, tile_height, FilterType::Nearest);
        let left = i as i64 * i64::from(tile_width + GAP);
        imageops::replace(&mut sheet, &tile, left, 0);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_tile_shows_ten_times_the_difference() {
        let picture = |level| Picture::new(vec![level; 2 * 4 * 3], 4, 2).expect("eight pixels");
        let sheet = side_by_side(&picture(100), &picture(103));
        assert_eq!(sheet.dimensions(), (3 * 256 + 16, 128));
        assert_eq!(sheet.get_pixel(0, 0).0, [100; 3]);
        assert_eq!(sheet.get_pixel(264, 0).0, [103; 3]);
        assert_eq!(sheet.get_pixel(528, 127).0, [158; 3]);
    }
}
