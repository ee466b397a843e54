//! Training pictures of other sizes than the model's.

use cifake::{Dataset, Decoder, Error, Picture};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rayon::prelude::*;

/// Longest side that is kept, in sides of the model: a crop of half of it is still reduced.
const MAX_SIDES: u32 = 4;
/// Smallest part of the shorter side that a crop keeps.
const MIN_SHARE: f32 = 0.5;

/// The pictures `indices` of `dataset` at their own sizes, or at four times `side` where they are
/// larger, decoded in the thread pool of the caller.
pub(crate) fn load(
    dataset: &dyn Dataset,
    indices: &[usize],
    side: u32,
    decoder: &Decoder,
) -> Result<Vec<Picture>, Error> {
    let read = |&index: &usize| {
        let picture = decoder
            .decode(&dataset.bytes(index)?)
            .map_err(|error| error.in_file(&dataset.samples()[index].id))?;
        Ok(within(picture, side.saturating_mul(MAX_SIDES)))
    };
    indices.par_iter().map(read).collect()
}

/// `picture`, or a copy of the same shape whose longer side is `longest`.
fn within(picture: Picture, longest: u32) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let longer = width.max(height);
    if longer <= longest {
        return picture;
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(longest) / u64::from(longer);
        u32::try_from(side.max(1)).expect("it is no longer than the longest side")
    };
    picture.fitted(scaled(width), scaled(height)).0
}

/// All of `picture` at `side` x `side`, RGB.
pub(crate) fn whole(picture: &Picture, side: usize) -> Vec<u8> {
    let side = u32::try_from(side).expect("a training picture is small");
    picture.clone().fitted(side, side).0.into_pixels()
}

/// A square of half the shorter side of `picture` to all of it, anywhere in it, brought to `side` x
/// `side`, RGB.
pub(crate) fn random_part(picture: &Picture, side: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let shorter = width.min(height);
    let share = rng.random_range(MIN_SHARE..=1.0);
    let cut = ((share * shorter as f32).round() as usize).clamp(1, shorter);
    let [top, left] = [rng.random_range(0..=height - cut), rng.random_range(0..=width - cut)];
    let row = |y: usize| {
        let start = (y * width + left) * 3;
        &picture.pixels()[start..start + cut * 3]
    };
    let pixels: Vec<u8> = (top..top + cut).flat_map(row).copied().collect();
    let cut = u32::try_from(cut).expect("it is no longer than the picture");
    let part = Picture::new(pixels, cut, cut).expect("as many rows as columns were taken");
    whole(&part, side)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Augment, sample_rng};
    use crate::{Examples, TrainError};
    use cifake::Label;

    /// Red tells the column, green the row.
    fn ramp(width: u32, height: u32) -> Picture {
        let pixel = |i: u32| [(i % width) as u8 * 2, (i / width) as u8 * 2, 7];
        Picture::new((0..width * height).flat_map(pixel).collect(), width, height).expect("whole")
    }

    fn examples() -> Examples {
        let square = Examples::new(vec![50; 8 * 8 * 3], vec![Label::Real], 8).expect("one picture");
        let pictures = vec![ramp(40, 24), ramp(8, 100)];
        square.with_sized(pictures, vec![Label::Fake, Label::Real]).expect("a label each")
    }

    #[test]
    fn a_part_is_a_square_from_within_the_picture() {
        let picture = ramp(40, 24);
        let mut lefts = std::collections::BTreeSet::new();
        for epoch in 0..200 {
            let mut rng = sample_rng(3, epoch, 0, 0);
            let part = random_part(&picture, 8, &mut rng);
            assert_eq!(part.len(), 8 * 8 * 3);
            let [first, last] = [&part[..3], &part[part.len() - 3..]].map(|p| [p[0], p[1], p[2]]);
            // From 12 to 24 pixels of a slope of two levels a pixel, in both directions.
            for channel in 0..2 {
                let spread = i32::from(last[channel]) - i32::from(first[channel]);
                assert!((16..=46).contains(&spread), "{first:?} {last:?}");
            }
            let [across, down] = [0, 1].map(|c| i32::from(last[c]) - i32::from(first[c]));
            assert!((across - down).abs() <= 3, "not square: {across} {down}");
            assert!(last[0] <= 78 && last[1] <= 46, "outside: {last:?}");
            lefts.insert(first[0]);
        }
        assert!(lefts.len() > 15, "the place hardly varies: {lefts:?}");
    }

    #[test]
    fn a_draw_of_a_sized_picture_depends_on_seed_epoch_and_sample_alone() {
        let (examples, augment) = (examples(), Augment::none());
        let draw = |seed, epoch, sample| augment.draw(&examples, seed, epoch, sample);
        assert_eq!(draw(1, 2, 1).pixels, draw(1, 2, 1).pixels);
        assert_ne!(draw(1, 2, 1).pixels, draw(1, 3, 1).pixels);
        assert_ne!(draw(1, 2, 1).pixels, draw(2, 2, 1).pixels);
        assert_eq!((draw(1, 2, 1).target, draw(1, 2, 2).target), (1.0, 0.0));
        assert_eq!(draw(1, 2, 1).pixels.len(), 3 * 8 * 8);
        assert_eq!(draw(1, 2, 0).pixels, draw(7, 9, 0).pixels, "a square picture is as it is");
    }

    #[test]
    fn a_large_picture_is_kept_reduced_in_its_own_shape() {
        let large = within(ramp(120, 60), 32);
        assert_eq!((large.width(), large.height()), (32, 16));
        assert_eq!(within(ramp(32, 9), 32), ramp(32, 9));
        assert_eq!(within(ramp(120, 1), 32).height(), 1);
    }

    #[test]
    fn each_sized_picture_has_a_label() {
        let square = Examples::new(vec![50; 8 * 8 * 3], vec![Label::Real], 8).expect("one picture");
        let refused = square.with_sized(vec![ramp(9, 9)], vec![]);
        assert!(matches!(refused, Err(TrainError::SizedExamples { found: 1, expected: 0 })));
    }
}
