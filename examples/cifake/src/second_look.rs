//! More than one look at a picture, and what it costs.

use std::time::Instant;

use burn::tensor::{Device, Tensor};
use cifake::Scorer;

/// Pictures that the cost of a second look is measured on.
const TIMED: usize = 64;
/// Times that it is measured; the fastest counts.
const ROUNDS: usize = 5;

/// The views that are averaged at test time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tta {
    /// A picture and its mirror image.
    Flip,
}

/// The ratio of the times of `second` and `first`, for pictures of `size` (width, height).
#[must_use]
pub(crate) fn time_ratio(
    first: &dyn Scorer,
    second: &dyn Scorer,
    size: (u32, u32),
    device: &Device,
) -> f64 {
    let shape = [TIMED, 3, size.1 as usize, size.0 as usize];
    let seconds = |scorer: &dyn Scorer| {
        let images = Tensor::<4>::zeros(shape, device);
        let start = Instant::now();
        let scores = scorer.scores(images).into_data_as::<f32>();
        debug_assert_eq!(scores.num_elements(), TIMED);
        start.elapsed().as_secs_f64()
    };
    // In turn, so that what else the machine does slows down both.
    let mut fastest = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (fastest, scorer) in fastest.iter_mut().zip([first, second]) {
            *fastest = fastest.min(seconds(scorer));
        }
    }
    fastest[1] / fastest[0]
}
