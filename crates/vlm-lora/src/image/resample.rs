//! Resizing that gives Pillow's very bytes, because the models were trained on them.
//!
//! Port of the 8-bit path of `src/libImaging/Resample.c` (Pillow 12.1): the filter's support grows
//! with the reduction (antialias), rows come before columns, and each of the two passes rounds to
//! 8 bits in fixed point with 22 fractional bits. Pillow 13 begins with the columns where that is
//! less work (its pull request 9549), which changes a level here and there; the published models
//! are older. `fast_image_resize` keeps coefficients in 16 bits, which is not exact enough.

use cifake::Picture;

/// Fractional bits of a coefficient: 32 less 8 of the result, less 2 for the negative lobes.
const PRECISION_BITS: u32 = 22;

/// How a pixel between pixels is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interpolation {
    /// Each pixel becomes a block of pixels; reduced, one pixel of a block stays.
    Nearest,
    /// Bicubic with a = -0.5, antialiased when reducing: Pillow's `BICUBIC`.
    Bicubic,
}

/// The picture at `width` x `height`, byte for byte as Pillow's `Image.resize` makes it.
///
/// # Panics
/// If `width` or `height` is 0.
#[must_use]
pub fn resized(picture: &Picture, width: u32, height: u32, how: Interpolation) -> Picture {
    assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
    if (picture.width(), picture.height()) == (width, height) {
        return picture.clone();
    }
    let pixels = match how {
        Interpolation::Nearest => nearest(picture, width, height),
        Interpolation::Bicubic => bicubic(picture, width, height),
    };
    Picture::new(pixels, width, height).expect("height * width * 3 bytes were made")
}

fn nearest(picture: &Picture, width: u32, height: u32) -> Vec<u8> {
    let (from_width, from_height) = (picture.width() as usize, picture.height() as usize);
    let (pixels, _) = picture.pixels().as_chunks::<3>();
    let source = |at: u32, from: usize, to: u32| {
        let center = (f64::from(at) + 0.5) * from as f64 / f64::from(to);
        (center as usize).min(from - 1)
    };
    let columns: Vec<usize> = (0..width).map(|x| source(x, from_width, width)).collect();
    let rows = (0..height).map(|y| source(y, from_height, height));
    rows.flat_map(|y| {
        let row = &pixels[y * from_width..][..from_width];
        columns.iter().flat_map(move |&x| row[x])
    })
    .collect()
}

fn bicubic(picture: &Picture, width: u32, height: u32) -> Vec<u8> {
    let (from_width, from_height) = (picture.width() as usize, picture.height() as usize);
    let (width, height) = (width as usize, height as usize);
    let mut pixels = picture.pixels().to_vec();
    if width != from_width {
        pixels = across(&pixels, from_width, &Taps::new(from_width, width));
    }
    if height != from_height {
        pixels = down(&pixels, width * 3, &Taps::new(from_height, height));
    }
    pixels
}

/// For each place of the result, where its window begins in the source and the coefficients there.
struct Taps(Vec<(usize, Vec<i32>)>);

impl Taps {
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = 2.0 * stretch;
        let window = |place: usize| {
            let center = (place as f64 + 0.5) * scale;
            // A cast takes what is negative to 0, and both bounds are rounded by it.
            let first = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let reciprocal = 1.0 / stretch;
            let weights: Vec<f64> =
                (first..end).map(|at| cubic((at as f64 - center + 0.5) * reciprocal)).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: &f64| {
                let exact = if sum == 0.0 { *weight } else { weight / sum };
                let scaled = exact * f64::from(1 << PRECISION_BITS);
                (scaled + 0.5_f64.copysign(exact)) as i32
            };
            (first, weights.iter().map(fixed).collect())
        };
        Self((0..to).map(window).collect())
    }
}

/// The cubic convolution kernel with a = -0.5, which is 0 from 2 on.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

/// Half a level, in fixed point: what rounds the shift.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn level(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Resamples each row of RGB `pixels`.
fn across(pixels: &[u8], width: usize, taps: &Taps) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() / width * taps.0.len());
    for row in pixels.chunks_exact(width * 3) {
        for (first, weights) in &taps.0 {
            let mut sums = [HALF; 3];
            let (window, _) = row[first * 3..].as_chunks::<3>();
            for (pixel, weight) in window.iter().zip(weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            out.extend(sums.map(level));
        }
    }
    out
}

/// Resamples each column of rows of `stride` bytes.
fn down(pixels: &[u8], stride: usize, taps: &Taps) -> Vec<u8> {
    let mut out = Vec::with_capacity(stride * taps.0.len());
    let mut sums = vec![HALF; stride];
    for (first, weights) in &taps.0 {
        sums.fill(HALF);
        for (row, weight) in pixels[first * stride..].chunks_exact(stride).zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        out.extend(sums.iter().copied().map(level));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(levels: &[u8], width: u32, height: u32) -> Picture {
        let pixels = levels.iter().flat_map(|level| [*level; 3]).collect();
        Picture::new(pixels, width, height).expect("one level a pixel")
    }

    fn levels(picture: &Picture) -> Vec<u8> {
        picture.pixels().chunks_exact(3).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn a_picture_of_the_target_size_is_untouched() {
        let picture = grey(&[1, 2, 3, 4, 5, 6], 3, 2);
        for how in [Interpolation::Nearest, Interpolation::Bicubic] {
            assert_eq!(resized(&picture, 3, 2, how), picture);
        }
    }

    #[test]
    fn nearest_repeats_pixels_as_blocks() {
        let large = resized(&grey(&[1, 2, 3, 4], 2, 2), 4, 2, Interpolation::Nearest);
        assert_eq!(levels(&large), [1, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn bicubic_overshoots_at_an_edge_and_is_clamped() {
        let large = resized(&grey(&[0, 0, 255, 255], 4, 1), 8, 1, Interpolation::Bicubic);
        // Pillow 12: Image.fromarray(...).resize((8, 1), BICUBIC).
        assert_eq!(levels(&large), [0, 0, 0, 52, 203, 255, 255, 255]);
    }

    #[test]
    fn a_flat_picture_of_any_size_stays_flat() {
        for (width, height) in [(1, 1), (1, 300), (640, 3), (33, 31)] {
            let flat = grey(&vec![119; (width * height) as usize], width, height);
            let other = resized(&flat, 56, 28, Interpolation::Bicubic);
            assert!(levels(&other).iter().all(|level| *level == 119), "{width}x{height}");
        }
    }

    #[test]
    fn fine_stripes_are_averaged_not_sampled() {
        let stripes: Vec<u8> = (0..320 * 4).map(|at| if at % 2 == 0 { 0 } else { 255 }).collect();
        let small = resized(&grey(&stripes, 320, 4), 32, 4, Interpolation::Bicubic);
        let inner =
            levels(&small).into_iter().enumerate().filter(|(at, _)| (1..31).contains(&(at % 32)));
        assert!(inner.clone().all(|(_, level)| (126..=129).contains(&level)), "{:?}", inner.max());
    }
}
