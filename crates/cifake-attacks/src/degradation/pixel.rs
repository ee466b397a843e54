//! Degradations of single pixels, and of their places.

use cifake::Picture;
use image::RgbImage;
use image::imageops;
use rand_distr::{Distribution, StandardNormal};

use crate::kit::SampleRng;

/// `picture` convolved with a Gaussian of `sigma` pixels, borders repeated; as it is below 0.1.
pub(crate) fn blurred(picture: Picture, sigma: f32) -> Picture {
    if sigma.is_nan() || sigma < 0.1 {
        return picture;
    }
    imageops::blur(&RgbImage::from(picture), sigma.min(100.0)).into()
}

/// `picture` with normal noise of `sigma` levels.
pub(super) fn noisy(picture: Picture, sigma: f32, rng: &mut SampleRng) -> Picture {
    changed(picture, |level| {
        let drawn: f32 = StandardNormal.sample(rng);
        level + sigma * drawn
    })
}

/// `picture` with its levels multiplied.
pub(super) fn brightened(picture: Picture, factor: f32) -> Picture {
    changed(picture, |level| factor * level)
}

/// `picture` with each level's distance from the mean luma multiplied.
pub(super) fn contrasted(picture: Picture, factor: f32) -> Picture {
    let pixels = picture.pixels().as_chunks::<3>().0;
    let sum: f64 = pixels.iter().map(|&pixel| f64::from(luma(pixel))).sum();
    let mean = (sum / pixels.len() as f64) as f32;
    changed(picture, |level| mean + factor * (level - mean))
}

/// `picture` with its luma in every channel.
pub(super) fn grey(picture: Picture) -> Picture {
    rearranged(picture, |mut pixels| {
        for pixel in pixels.as_chunks_mut::<3>().0 {
            *pixel = [luma(*pixel).round() as u8; 3];
        }
        pixels
    })
}

/// `picture` with left and right exchanged.
pub(super) fn mirrored(picture: Picture) -> Picture {
    let width = picture.width() as usize;
    rearranged(picture, |mut pixels| {
        let rows = pixels.as_chunks_mut::<3>().0.chunks_exact_mut(width);
        rows.for_each(<[[u8; 3]]>::reverse);
        pixels
    })
}

/// `picture` turned clockwise by quarters; one and three exchange width and height.
pub(super) fn turned(picture: Picture, turns: u8) -> Picture {
    let image = RgbImage::from(picture);
    match turns % 4 {
        0 => image,
        1 => imageops::rotate90(&image),
        2 => imageops::rotate180(&image),
        _ => imageops::rotate270(&image),
    }
    .into()
}

/// Luma by ITU-R BT.601.
fn luma([r, g, b]: [u8; 3]) -> f32 {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}

/// Each byte as `change` computes it from its level, rounded and clamped.
fn changed(picture: Picture, mut change: impl FnMut(f32) -> f32) -> Picture {
    rearranged(picture, |mut pixels| {
        for byte in &mut pixels {
            *byte = change(f32::from(*byte)).round() as u8;
        }
        pixels
    })
}

/// A picture of the same size with other bytes.
fn rearranged(picture: Picture, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    Picture::new(change(picture.into_pixels()), width, height).expect("no byte came or went")
}
