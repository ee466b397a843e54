//! Positions of text and picture tokens (M-RoPE).

use super::config::Qwen2VlConfig;
use crate::error::Error;
use crate::image::Grid;
use crate::text::Positions;

/// `<|image_pad|>`, as messages call it.
const PLACEHOLDER: &str = "<|image_pad|>";

impl Qwen2VlConfig {
    /// Tokens of the decoder that a picture of `grid` becomes.
    #[must_use]
    pub fn n_tokens(&self, grid: Grid) -> usize {
        grid.n_tokens(self.vision.spatial_merge_size)
    }

    /// `tokens` with each picture's one `<|image_pad|>` repeated as often as the picture has tokens.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] unless there is one for each of `grids`.
    pub fn expanded(&self, tokens: &[u32], grids: &[Grid]) -> Result<Vec<u32>, Error> {
        let places = tokens.iter().filter(|token| **token == self.image_token).count();
        if places != grids.len() {
            return Err(places_error("pictures", places, grids.len()));
        }
        let mut grids = grids.iter();
        let repeated = |token: &u32| {
            let picture = if *token == self.image_token { grids.next() } else { None };
            std::iter::repeat_n(*token, picture.map_or(1, |grid| self.n_tokens(*grid)))
        };
        Ok(tokens.iter().flat_map(repeated).collect())
    }

    /// Positions of `tokens`, in which each picture already has all of its tokens: `[3, 1, tokens]`.
    ///
    /// Text counts on from one after the largest number before it, with the same number for time,
    /// height and width. A picture's tokens add their own time, row and column to it (transformers
    /// `modeling_qwen2_vl.py`, `get_rope_index`).
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] if the number of picture tokens differs from `grids`.
    pub fn positions(&self, tokens: &[u32], grids: &[Grid]) -> Result<Positions, Error> {
        let found = tokens.iter().filter(|token| **token == self.image_token).count();
        let expected: usize = grids.iter().map(|grid| self.n_tokens(*grid)).sum();
        if found != expected {
            return Err(places_error("tokens of pictures", found, expected));
        }
        let mut axes = [0; 3].map(|_| Vec::with_capacity(tokens.len()));
        let mut grids = grids.iter().filter(|grid| self.n_tokens(**grid) > 0);
        let (mut next, mut at) = (0, 0);
        while at < tokens.len() {
            let grid = if tokens[at] == self.image_token { grids.next() } else { None };
            let places = grid.map_or_else(|| vec![[0; 3]], |grid| self.places(*grid));
            if grid.is_some() {
                let run = tokens[at..].iter().take_while(|token| **token == self.image_token);
                if run.count() < places.len() {
                    return Err(places_error("tokens of pictures", found, expected));
                }
            }
            let mut last = next;
            for place in &places {
                for (axis, offset) in axes.iter_mut().zip(place) {
                    axis.push(next + offset);
                    last = last.max(next + offset);
                }
            }
            next = last + 1;
            at += places.len();
        }
        Ok(Positions::new(axes.concat(), [3, 1, tokens.len()]))
    }

    /// Time, row and column of each of a picture's tokens.
    fn places(&self, grid: Grid) -> Vec<[u32; 3]> {
        let merge = self.vision.spatial_merge_size;
        let [time, rows, columns] = [grid.time, grid.height / merge, grid.width / merge]
            .map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let rows_of = move |t| (0..rows).flat_map(move |y| (0..columns).map(move |x| [t, y, x]));
        (0..time).flat_map(rows_of).collect()
    }
}

fn places_error(what: &'static str, places: usize, found: usize) -> Error {
    Error::PicturePlaces { what, places, found, placeholder: PLACEHOLDER.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config() -> Qwen2VlConfig {
        Qwen2VlConfig::qwen2_vl_2b()
    }

    fn grid(height: usize, width: usize) -> Grid {
        Grid { time: 1, height, width }
    }

    #[test]
    fn a_place_becomes_as_many_as_the_picture_has_tokens() {
        let pad = config().image_token;
        let grids = [grid(4, 4), grid(2, 6)];
        let expanded = config().expanded(&[1, pad, 2, pad, 3], &grids).expect("two places");
        assert_eq!(expanded, [1, pad, pad, pad, pad, 2, pad, pad, pad, 3]);
        let missing = config().expanded(&[1, pad, 2], &grids);
        assert!(matches!(missing, Err(Error::PicturePlaces { places: 1, found: 2, .. })));
    }

    #[test]
    fn text_goes_on_after_the_longer_side_of_a_picture() {
        let pad = config().image_token;
        let tokens = [1, pad, pad, pad, pad, pad, pad, 2, 3];
        let positions = config().positions(&tokens, &[grid(4, 6)]).expect("six tokens");
        assert_eq!(positions.shape(), [3, 1, 9]);
        let expected =
            [[0, 1, 1, 1, 1, 1, 1, 4, 5], [0, 1, 1, 1, 2, 2, 2, 4, 5], [0, 1, 2, 3, 1, 2, 3, 4, 5]];
        assert_eq!(positions.values(), expected.concat());
        assert_eq!(positions.next(0), 6);
    }

    #[test]
    fn text_alone_counts() {
        let positions = config().positions(&[7, 8, 9], &[]).expect("no picture");
        assert_eq!(positions.values(), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
        assert_eq!(config().positions(&[], &[]).expect("nothing").shape(), [3, 1, 0]);
    }

    #[test]
    fn a_torn_picture_is_an_error() {
        let pad = config().image_token;
        for tokens in [&[1, pad, pad][..], &[pad, pad, 1, pad, pad], &[pad, pad, pad, pad, pad]] {
            let refused = config().positions(tokens, &[grid(4, 4)]);
            assert!(matches!(refused, Err(Error::PicturePlaces { .. })), "{tokens:?}");
        }
    }

    proptest! {
        #[test]
        fn any_prompt_has_positions_or_an_error(
            tokens in prop::collection::vec(151_650..151_658_u32, 0..60),
            sides in prop::collection::vec((0..9_usize, 0..9_usize), 0..4),
        ) {
            let grids: Vec<Grid> = sides.iter().map(|side| grid(side.0, side.1)).collect();
            if let Ok(expanded) = config().expanded(&tokens, &grids) {
                let positions = config().positions(&expanded, &grids);
                if let Ok(positions) = positions {
                    prop_assert_eq!(positions.shape(), [3, 1, expanded.len()]);
                    prop_assert!(positions.next(0) as usize <= expanded.len());
                }
            }
        }
    }
}
