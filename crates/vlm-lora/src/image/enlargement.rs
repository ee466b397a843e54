//! Enlargement of small pictures before preprocessing.

use std::str::FromStr;

use cifake::{Filter, Picture};

use super::smart_resize::check_aspect_ratio;
use crate::error::Error;

/// The longest side that an enlarged picture may have.
const MAX_SIDE: u32 = 8192;
/// Ground of a canvas that is read from text: neither dark nor light.
const GROUND: [u8; 3] = [128; 3];

/// The enlargement of a picture before preprocessing.
///
/// The processors were made for photographs and keep little of a 32x32 picture:
///
/// - **Qwen2-VL** enlarges 32x32 to its minimum of 56x56, which is 4 tokens. A 224x224 picture is 64
///   tokens. [`Upscaled`](Self::Upscaled), or the processor's own
///   `min_pixels`, buys tokens.
/// - **MC-LLaVA** cuts crops out of a picture only if a side is above 576. A smaller one is shown
///   whole, and asking for crops changes nothing. [`Upscaled`](Self::Upscaled) to more than 576
///   makes every crop show a part, at a scale that the model has hardly seen.
///   [`Canvas`](Self::Canvas) leaves the pixels as they are, and most crops show its ground.
///
/// No enlargement adds detail. The best one is to be measured for each model, not assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enlargement {
    /// The picture goes to the processor as it is.
    Off,
    /// The picture is scaled up, at its aspect ratio, until its shorter side has so many pixels.
    ///
    /// A picture whose shorter side has them is untouched.
    Upscaled {
        /// Pixels that the shorter side gets.
        shorter_side: u32,
        /// The filter of the pixels between.
        interpolation: Filter,
    },
    /// The picture is put, pixel for pixel, in the middle of a square of one colour.
    ///
    /// A picture that is larger than the canvas in a direction is untouched.
    Canvas {
        /// Pixels of each side of the canvas.
        side: u32,
        /// Red, green and blue of its ground.
        ground: [u8; 3],
    },
}

impl Enlargement {
    /// The picture as the processor gets it.
    ///
    /// # Errors
    /// [`Error::AspectRatio`] for a picture more than 200 times as long as wide;
    /// [`Error::EnlargedSide`] where a side would be 0 or above 8192.
    pub fn apply(self, picture: &Picture) -> Result<Picture, Error> {
        let sides = [picture.height(), picture.width()];
        check_aspect_ratio(sides)?;
        match self {
            Self::Off => Ok(picture.clone()),
            Self::Upscaled { shorter_side, interpolation } => {
                let short = sides[0].min(sides[1]);
                checked(u64::from(shorter_side))?;
                if short >= shorter_side {
                    return Ok(picture.clone());
                }
                let scaled = |side: u32| {
                    let exact = f64::from(side) * f64::from(shorter_side) / f64::from(short);
                    checked(exact.round() as u64)
                };
                let [height, width] = [scaled(sides[0])?, scaled(sides[1])?];
                Ok(picture.resized_as_pillow(width, height, interpolation))
            }
            Self::Canvas { side, ground } => {
                checked(u64::from(side))?;
                if sides.iter().any(|of_picture| *of_picture > side) {
                    return Ok(picture.clone());
                }
                Ok(on_canvas(picture, side, ground))
            }
        }
    }
}

impl FromStr for Enlargement {
    type Err = Error;

    /// `off`, `upscale:PIXELS` (of the shorter side, bicubic) or `canvas:PIXELS` (on mid gray);
    /// [`Error::Setting`] for anything else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Setting {
            setting: "enlargement",
            found: text.to_owned(),
            expected: "off, upscale:PIXELS or canvas:PIXELS, such as upscale:224".to_owned(),
        };
        if text == "off" {
            return Ok(Self::Off);
        }
        let (kind, pixels) = text.split_once(':').ok_or_else(wrong)?;
        let pixels = pixels.parse().map_err(|_| wrong())?;
        let interpolation = Filter::Bicubic;
        match kind {
            "upscale" => Ok(Self::Upscaled { shorter_side: pixels, interpolation }),
            "canvas" => Ok(Self::Canvas { side: pixels, ground: GROUND }),
            _ => Err(wrong()),
        }
    }
}

fn checked(side: u64) -> Result<u32, Error> {
    match u32::try_from(side) {
        Ok(side) if (1..=MAX_SIDE).contains(&side) => Ok(side),
        _ => Err(Error::EnlargedSide { side, limit: MAX_SIDE }),
    }
}

fn on_canvas(picture: &Picture, side: u32, ground: [u8; 3]) -> Picture {
    let mut pixels = ground.repeat(side as usize * side as usize);
    let (left, top) = ((side - picture.width()) / 2, (side - picture.height()) / 2);
    let row_bytes = picture.width() as usize * 3;
    for (y, row) in picture.pixels().chunks_exact(row_bytes).enumerate() {
        let at = ((top as usize + y) * side as usize + left as usize) * 3;
        pixels[at..at + row_bytes].copy_from_slice(row);
    }
    Picture::new(pixels, side, side).expect("side * side * 3 bytes were made")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        let pixels = (0..width * height * 3).map(|at| (at % 251) as u8).collect();
        Picture::new(pixels, width, height).expect("three bytes a pixel")
    }

    #[test]
    fn off_and_enough_leave_the_picture_untouched() {
        let (small, interpolation) = (picture(5, 3), Filter::Bicubic);
        for how in [
            Enlargement::Off,
            Enlargement::Upscaled { shorter_side: 3, interpolation },
            Enlargement::Canvas { side: 4, ground: [0; 3] },
        ] {
            assert_eq!(how.apply(&small).expect("it is small"), small, "{how:?}");
        }
    }

    #[test]
    fn upscaling_keeps_the_aspect_ratio() {
        let how = Enlargement::Upscaled { shorter_side: 12, interpolation: Filter::Nearest };
        let large = how.apply(&picture(5, 3)).expect("it is small");
        assert_eq!((large.width(), large.height()), (20, 12));
        assert_eq!(large.pixels()[..3], picture(5, 3).pixels()[..3]);
    }

    #[test]
    fn a_canvas_shows_the_pixels_in_its_middle() {
        let how = Enlargement::Canvas { side: 7, ground: [9, 8, 7] };
        let canvas = how.apply(&picture(3, 2)).expect("it fits");
        assert_eq!((canvas.width(), canvas.height()), (7, 7));
        let row = |y: usize| &canvas.pixels()[y * 21..][..21];
        assert_eq!(row(1), [9, 8, 7].repeat(7));
        assert_eq!(row(2)[6..15], picture(3, 2).pixels()[..9]);
        assert_eq!(row(3)[6..15], picture(3, 2).pixels()[9..]);
        assert_eq!(row(4), [9, 8, 7].repeat(7));
    }

    #[test]
    fn strips_and_giants_are_errors() {
        let interpolation = Filter::Bicubic;
        let strip = Enlargement::Off.apply(&picture(1, 20_000));
        assert!(matches!(strip, Err(Error::AspectRatio { .. })));
        for how in [
            Enlargement::Upscaled { shorter_side: 0, interpolation },
            Enlargement::Upscaled { shorter_side: 600, interpolation },
            Enlargement::Canvas { side: u32::MAX, ground: [0; 3] },
        ] {
            let refused = how.apply(&picture(100, 2));
            assert!(matches!(refused, Err(Error::EnlargedSide { .. })), "{how:?}");
        }
    }

    #[test]
    fn enlargements_have_names_and_sizes() {
        let read = |text: &str| text.parse::<Enlargement>();
        assert_eq!(read("off").expect("a name"), Enlargement::Off);
        let canvas = Enlargement::Canvas { side: 600, ground: GROUND };
        assert_eq!(read("canvas:600").expect("a name and a size"), canvas);
        let interpolation = Filter::Bicubic;
        let upscaled = Enlargement::Upscaled { shorter_side: 224, interpolation };
        assert_eq!(read("upscale:224").expect("a name and a size"), upscaled);
        for wrong in ["", "upscale", "upscale:", "upscale:-1", "zoom:2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
