//! Ways of bringing pictures to the size that a model sees.

use serde::{Deserialize, Serialize};

use super::{Filter, Picture};

/// The way in which a picture was brought to the size that a model sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputFit {
    /// It had that size, and its pixels are untouched.
    Native,
    /// The whole of it was resized.
    Resized,
}

impl InputFit {
    /// `"native"` or `"resized"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Resized => "resized",
        }
    }
}

impl Picture {
    /// The picture at `width` x `height`, as a model sees it.
    ///
    /// A picture of that size is left untouched. Of any other, the whole is resized without regard
    /// to its aspect ratio, by a Lanczos filter of three lobes whose support grows with the
    /// reduction, so that fine detail does not alias; nothing is cropped, because what a crop cuts
    /// away may be what gives a picture away. The reduction of CIFAR-10 to 32x32 is not documented
    /// pixel for pixel, and no filter restores the traces that a generator leaves at native size:
    /// a verdict on a resized picture is worth less than one on a native picture, and
    /// [`InputFit`] says which it was.
    ///
    /// # Panics
    /// If `width` or `height` is 0, or the picture is empty, as one made of an empty
    /// [`image::RgbImage`] is.
    #[must_use]
    pub fn fitted(self, width: u32, height: u32) -> (Self, InputFit) {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} holds no pixel");
        if (self.width, self.height) == (width, height) {
            return (self, InputFit::Native);
        }
        (self.resized(width, height, Filter::Lanczos), InputFit::Resized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_the_target_size_is_untouched() {
        let picture = Picture::new((0..18).collect(), 3, 2).expect("3x2");
        assert_eq!(picture.clone().fitted(3, 2), (picture, InputFit::Native));
    }

    #[test]
    fn a_resized_picture_keeps_left_right_top_and_bottom() {
        // 4 wide, 2 high; left half red, right half blue, lower row brighter.
        let row = |level: u8| [[level, 0, 0], [level, 0, 0], [0, 0, level], [0, 0, level]];
        let pixels = [row(100), row(200)].concat().concat();
        let (small, fit) = Picture::new(pixels, 4, 2).expect("4x2").fitted(2, 2);
        assert_eq!(fit, InputFit::Resized);
        assert_eq!((small.width(), small.height()), (2, 2));
        let [top_left, top_right, bottom_left, _] = small.pixels().as_chunks::<3>().0 else {
            panic!("four pixels")
        };
        assert!(top_left[0] > 80 && top_left[2] < 20, "{top_left:?}");
        assert!(top_right[2] > 80 && top_right[0] < 20, "{top_right:?}");
        assert!(bottom_left[0] > 170, "{bottom_left:?}");
    }

    #[test]
    fn a_flat_picture_of_any_size_stays_flat() {
        for (width, height) in [(1, 1), (1, 300), (640, 3), (33, 31)] {
            let pixels = [10, 120, 250].repeat((width * height) as usize);
            let picture = Picture::new(pixels, width, height).expect("flat");
            let (small, _) = picture.fitted(32, 32);
            assert!(small.pixels().as_chunks().0.iter().all(|pixel| *pixel == [10, 120, 250]));
        }
    }

    #[test]
    fn fine_stripes_are_averaged_not_sampled() {
        let pixels: Vec<u8> =
            (0..320 * 320).flat_map(|at| [if at % 2 == 0 { 0 } else { 255 }; 3]).collect();
        let (small, _) = Picture::new(pixels, 320, 320).expect("320x320").fitted(32, 32);
        let inner = |at: usize| (1..31).contains(&(at % 32)) && (1..31).contains(&(at / 32));
        let levels = small.pixels().as_chunks::<3>().0.iter().enumerate();
        let inner = levels.filter(|(at, _)| inner(*at)).map(|(_, pixel)| pixel[0]);
        assert!(inner.clone().all(|level| (120..=135).contains(&level)), "{:?}", inner.max());
    }
}
