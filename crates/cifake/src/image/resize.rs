//! Other sizes of pictures, by the usual filters.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use super::Picture;

/// The filter that computes the pixels of another size.
///
/// The support of all but `Nearest` grows with a reduction, as in Pillow, so that fine detail does
/// not alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// The mean of the pixels that a new one covers.
    Box,
    /// A triangle of radius 1.
    Bilinear,
    /// Catmull and Rom's cubic of radius 2, Pillow's `BICUBIC`.
    Bicubic,
    /// A Lanczos window of three lobes.
    Lanczos,
}

impl Filter {
    /// Every filter.
    pub const ALL: [Self; 5] =
        [Self::Nearest, Self::Box, Self::Bilinear, Self::Bicubic, Self::Lanczos];

    /// `"nearest"`, `"box"`, `"bilinear"`, `"bicubic"` or `"lanczos"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }

    fn algorithm(self) -> ResizeAlg {
        ResizeAlg::Convolution(match self {
            Self::Nearest => return ResizeAlg::Nearest,
            Self::Box => FilterType::Box,
            Self::Bilinear => FilterType::Bilinear,
            Self::Bicubic => FilterType::CatmullRom,
            Self::Lanczos => FilterType::Lanczos3,
        })
    }
}

/// Sides that are longer, as no JPEG has one, are brought to this length by a box filter before a
/// filter with wider support is applied: the filter's coefficients grow with the longer side, and
/// those of 40 million pixels would take 2.4 GB. The error is far below a level.
const LONGEST_SIDE: u32 = 1 << 16;

/// Bytes that a picture of `from` width and height needs beside itself to become one of `to`.
pub(super) fn n_bytes_to_resize(from: (u32, u32), to: (u32, u32)) -> u64 {
    /// Six coefficients a pixel at most, of 8 and 2 bytes, and their windows' bounds.
    const COEFFICIENT_BYTES: u64 = 64;
    if from == to {
        return 0;
    }
    let [width, height] = [shortened(from.0, to.0), shortened(from.1, to.1)].map(u64::from);
    let (from_width, from_height) = (u64::from(from.0), u64::from(from.1));
    let lying = if width == from_width { 0 } else { 3 * width * from_height };
    let upright = if height == from_height { 0 } else { 3 * width * height };
    let (to_width, to_height) = (u64::from(to.0), u64::from(to.1));
    let passes = 3 * (to_width * height + to_width * to_height);
    lying + upright + passes + COEFFICIENT_BYTES * (width + height + to_width + to_height)
}

/// The length that a side `from` has before it is filtered to `to`.
fn shortened(from: u32, to: u32) -> u32 {
    if to < LONGEST_SIDE { from.min(LONGEST_SIDE) } else { from }
}

impl Picture {
    /// The whole picture at `width` x `height` by `filter`, without regard to its aspect ratio.
    ///
    /// [`resized_as_pillow`](Self::resized_as_pillow) gives the same to a level here and there, and
    /// takes longer.
    ///
    /// # Panics
    /// If `width` or `height` is 0, or the picture is empty, as one made of an empty
    /// [`image::RgbImage`] is.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32, filter: Filter) -> Self {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
        let sides = (shortened(self.width, width), shortened(self.height, height));
        if filter != Filter::Nearest && sides != (self.width, self.height) {
            let shorter = self.resized_as_pillow(sides.0, sides.1, Filter::Box);
            return shorter.resized(width, height, filter);
        }
        let mut pixels = vec![0; width as usize * height as usize * 3];
        // Typed images: those that know their type at run time compile every type into this crate.
        let source = TypedImageRef::<U8x3>::from_buffer(self.width, self.height, &self.pixels)
            .expect("a picture holds height * width * 3 bytes");
        let mut target = TypedImage::<U8x3>::from_buffer(width, height, &mut pixels)
            .expect("three bytes a pixel were just allocated");
        let options = ResizeOptions::new().resize_alg(filter.algorithm()).use_alpha(false);
        Resizer::new()
            .resize_typed(&source, &mut target, &options)
            .expect("both images have the same pixel type and no empty side");
        drop(target);
        Self { pixels, width, height }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_enlarges_an_edge_in_its_own_way() {
        // 4 wide, 2 high: dark left, bright right.
        let pixels: Vec<u8> = [10, 10, 200, 200].repeat(2).iter().flat_map(|&v| [v; 3]).collect();
        let picture = Picture::new(pixels, 4, 2).expect("4x2");
        let row = |filter: Filter| -> Vec<u8> {
            let large = picture.resized(12, 4, filter);
            assert_eq!((large.width(), large.height()), (12, 4));
            large.pixels()[..36].iter().step_by(3).copied().collect()
        };
        let sharp = [[10; 6], [200; 6]].concat();
        assert_eq!([row(Filter::Nearest), row(Filter::Box)], [sharp.clone(), sharp]);
        assert!(row(Filter::Bilinear).is_sorted());
        for ringing in [row(Filter::Bicubic), row(Filter::Lanczos)] {
            assert!(ringing.iter().any(|&v| v < 10) && ringing.iter().any(|&v| v > 200));
        }
        assert_ne!(row(Filter::Bicubic), row(Filter::Lanczos));
    }

    /// A ramp of 300,000 levels, upright and lying.
    #[test]
    fn a_side_longer_than_any_jpegs_is_shortened_without_a_trace() {
        let length = 300_000;
        let ramp: Vec<u8> = (0..length).flat_map(|at| [(at * 256 / length) as u8; 3]).collect();
        let upright = Picture::new(ramp.clone(), 1, length).expect("a column");
        let lying = Picture::new(ramp, length, 1).expect("a row");
        for filter in [Filter::Box, Filter::Bilinear, Filter::Lanczos] {
            let small = upright.resized(1, 32, filter);
            assert_eq!(small.pixels, lying.resized(32, 1, filter).pixels);
            let inner =
                small.pixels.iter().step_by(3).enumerate().filter(|(at, _)| (3..29).contains(at));
            for (at, level) in inner {
                assert!(level.abs_diff((at * 8 + 4) as u8) <= 1, "{filter:?}: {level} at {at}");
            }
        }
    }

    #[test]
    fn what_a_resize_needs_does_not_grow_with_a_long_side() {
        assert_eq!(n_bytes_to_resize((32, 32), (32, 32)), 0);
        assert!(n_bytes_to_resize((6000, 4000), (32, 32)) < 1_500_000);
        let needed = n_bytes_to_resize((1, 40_000_000), (32, 32));
        assert!(needed < 20_000_000, "{needed}");
    }

    #[test]
    fn a_name_is_the_one_of_its_serialized_form() {
        for filter in Filter::ALL {
            let json = serde_json::to_value(filter).expect("a plain name");
            assert_eq!(json, filter.as_str());
        }
    }
}
