//! Other sizes of pictures, by the usual filters.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use super::Picture;

/// How the pixels of another size are computed.
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

impl Picture {
    /// The whole picture at `width` x `height` by `filter`, without regard to its aspect ratio.
    ///
    /// # Panics
    /// If `width` or `height` is 0, or the picture is empty, as one made of an empty
    /// [`image::RgbImage`] is.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32, filter: Filter) -> Self {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
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

    #[test]
    fn a_name_is_the_one_of_its_serialized_form() {
        for filter in Filter::ALL {
            let json = serde_json::to_value(filter).expect("a plain name");
            assert_eq!(json, filter.as_str());
        }
    }
}
