//! Resizing that gives Pillow's very bytes, for models that were trained on them.
//!
//! Port of the 8-bit path of `src/libImaging/Resample.c` (Pillow 12.1). The support of a filter
//! grows with the reduction, rows come before columns, and each of the two passes rounds to 8 bits
//! in fixed point with 22 fractional bits. Pillow 13 begins with the columns where that is less
//! work (its pull request 9549), which changes a level here and there. One difference is intended:
//! coefficients are computed in parts, so that a picture of any shape needs little memory for them.
//!
//! [`Picture::resized`](super::Picture::resized) is faster and keeps coefficients in 16 bits. Its
//! result differs from Pillow's by a level here and there; the published figures of the detectors
//! were measured with it.

use std::borrow::Cow;

use super::{Filter, Picture};

/// Fractional bits of a coefficient: 32 less 8 of the result, less 2 for the negative lobes.
const PRECISION_BITS: u32 = 22;

/// Half a level, in fixed point: it makes the shift round.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// Coefficients that are kept at once.
const N_KEPT: usize = 1 << 16;

impl Picture {
    /// The whole picture at `width` x `height`, byte for byte as `Image.resize` of Pillow 12 makes
    /// it with `filter`: `NEAREST`, `BOX`, `BILINEAR`, `BICUBIC` or `LANCZOS`.
    ///
    /// ```
    /// use cifake::{Filter, Picture};
    ///
    /// let edge = Picture::new([[0; 6], [255; 6]].concat(), 4, 1)?;
    /// let large = edge.resized_as_pillow(8, 1, Filter::Bicubic);
    /// let levels: Vec<u8> = large.pixels().iter().step_by(3).copied().collect();
    /// assert_eq!(levels, [0, 0, 0, 52, 203, 255, 255, 255]);
    /// # Ok::<(), cifake::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `width` or `height` is 0.
    #[must_use]
    pub fn resized_as_pillow(&self, width: u32, height: u32, filter: Filter) -> Self {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
        let pixels = match filter {
            Filter::Nearest => nearest(self, width, height),
            _ => filtered(self, width as usize, height as usize, filter),
        };
        Self { pixels, width, height }
    }
}

/// Both passes; a side of the wanted length takes none.
fn filtered(picture: &Picture, width: usize, height: usize, filter: Filter) -> Vec<u8> {
    let [from_width, from_height] = [picture.width, picture.height].map(|side| side as usize);
    let mut pixels = Cow::Borrowed(&picture.pixels);
    if from_width != width {
        let windows = Windows::new(from_width, width, filter);
        pixels = Cow::Owned(across(&pixels, from_width, &windows));
    }
    if from_height != height {
        let windows = Windows::new(from_height, height, filter);
        pixels = Cow::Owned(down(&pixels, width * 3, &windows));
    }
    pixels.into_owned()
}

fn nearest(picture: &Picture, width: u32, height: u32) -> Vec<u8> {
    let (from_width, from_height) = (picture.width as usize, picture.height as usize);
    let (pixels, _) = picture.pixels.as_chunks::<3>();
    let sources = |from: usize, to: u32| {
        let step = from as f64 / f64::from(to);
        // Added up and not multiplied, as `ImagingScaleAffine` does: the roundings decide.
        std::iter::successors(Some(step * 0.5), move |at| Some(at + step))
            .take(to as usize)
            .map(move |at| (at as usize).min(from - 1))
    };
    let columns: Vec<usize> = sources(from_width, width).collect();
    sources(from_height, height)
        .flat_map(|y| {
            let row = &pixels[y * from_width..][..from_width];
            columns.iter().flat_map(move |&x| row[x])
        })
        .collect()
}

/// The part of the source that each place of a result is made of.
struct Windows {
    from: usize,
    to: usize,
    filter: Filter,
}

/// The start of a window in the source, and its coefficients.
type Window = (usize, Vec<i32>);

impl Windows {
    fn new(from: usize, to: usize, filter: Filter) -> Self {
        Self { from, to, filter }
    }

    /// Source pixels of one unit of the filter, and pixels from the center of a window to its end.
    fn reach(&self) -> (f64, f64) {
        let stretch = (self.from as f64 / self.to as f64).max(1.0);
        (stretch, support(self.filter) * stretch)
    }

    fn window(&self, place: usize) -> Window {
        let (stretch, reach) = self.reach();
        let center = (place as f64 + 0.5) * (self.from as f64 / self.to as f64);
        // A cast takes a negative number to 0, and both bounds are rounded by it.
        let first = (center - reach + 0.5) as usize;
        let end = ((center + reach + 0.5) as usize).min(self.from);
        let reciprocal = 1.0 / stretch;
        let weight = |at| weight(self.filter, (at as f64 - center + 0.5) * reciprocal);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: &f64| {
            let exact = if sum == 0.0 { *weight } else { weight / sum };
            (exact * f64::from(1 << PRECISION_BITS) + 0.5_f64.copysign(exact)) as i32
        };
        (first, weights.iter().map(fixed).collect())
    }

    /// The places of the result in parts whose coefficients are kept at once.
    fn parts(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let length = (N_KEPT as f64 / (2.0 * self.reach().1 + 1.0)).max(1.0) as usize;
        let to = self.to;
        (0..to).step_by(length).map(move |start| start..to.min(start + length))
    }
}

/// Distance from the center at which a filter ends.
fn support(filter: Filter) -> f64 {
    match filter {
        Filter::Nearest | Filter::Box => 0.5,
        Filter::Bilinear => 1.0,
        Filter::Bicubic => 2.0,
        Filter::Lanczos => 3.0,
    }
}

/// The value of a filter at `x`.
fn weight(filter: Filter, x: f64) -> f64 {
    /// Of the cubic convolution.
    const A: f64 = -0.5;
    match filter {
        Filter::Nearest | Filter::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
        Filter::Bilinear => (1.0 - x.abs()).max(0.0),
        Filter::Bicubic => match x.abs() {
            x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        },
        Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
        Filter::Lanczos => 0.0,
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

fn level(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Resamples each row, of `width` pixels, of RGB `pixels`.
fn across(pixels: &[u8], width: usize, windows: &Windows) -> Vec<u8> {
    let mut out = vec![0; pixels.len() / width * windows.to];
    for part in windows.parts() {
        let kept: Vec<Window> = part.clone().map(|place| windows.window(place)).collect();
        let rows = pixels.chunks_exact(width * 3).zip(out.chunks_exact_mut(windows.to * 3));
        for (row, made) in rows {
            let (made, _) = made[part.start * 3..part.end * 3].as_chunks_mut::<3>();
            for ((first, weights), made) in kept.iter().zip(made) {
                let mut sums = [HALF; 3];
                let (window, _) = row[first * 3..].as_chunks::<3>();
                for (pixel, weight) in window.iter().zip(weights) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += i32::from(*value) * weight;
                    }
                }
                *made = sums.map(level);
            }
        }
    }
    out
}

/// Resamples each column of rows of `stride` bytes.
fn down(pixels: &[u8], stride: usize, windows: &Windows) -> Vec<u8> {
    let mut out = Vec::with_capacity(stride * windows.to);
    let mut sums = vec![HALF; stride];
    for (first, weights) in (0..windows.to).map(|place| windows.window(place)) {
        sums.fill(HALF);
        for (row, weight) in pixels[first * stride..].chunks_exact(stride).zip(&weights) {
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

    /// 40 wide, 24 high.
    const SCENE: &[u8] = include_bytes!("../../tests/fixtures/baseline.rgb");
    /// The scene at each of [`SIZES`], by each filter, as Pillow makes it.
    const EXPECTED: &[u8] = include_bytes!("../../tests/fixtures/resampled.rgb");
    const SIZES: [(u32, u32); 3] = [(13, 9), (47, 31), (9, 31)];

    #[test]
    fn every_filter_gives_the_bytes_of_pillow() {
        let scene = Picture::new(SCENE.to_vec(), 40, 24).expect("40x24");
        let mut expected = EXPECTED;
        for filter in Filter::ALL {
            for (width, height) in SIZES {
                let made = scene.resized_as_pillow(width, height, filter);
                let theirs = expected.split_off(..made.pixels.len()).expect("it is in the file");
                assert_eq!(made.pixels, theirs, "{filter:?} {width}x{height}");
            }
        }
        assert!(expected.is_empty());
    }

    #[test]
    fn a_picture_of_the_target_size_is_untouched() {
        let scene = Picture::new(SCENE.to_vec(), 40, 24).expect("40x24");
        for filter in Filter::ALL {
            assert_eq!(scene.resized_as_pillow(40, 24, filter), scene);
        }
    }

    #[test]
    fn a_flat_picture_of_any_size_stays_flat() {
        for (width, height) in [(1, 1), (1, 300), (640, 3), (33, 31), (1, 200_000)] {
            let flat = vec![119; (width * height * 3) as usize];
            let flat = Picture::new(flat, width, height).expect("one level a pixel");
            for filter in Filter::ALL {
                let other = flat.resized_as_pillow(56, 28, filter);
                assert!(other.pixels.iter().all(|level| *level == 119), "{width}x{height}");
            }
        }
    }
}
