//! The proposals of the search: stripes and squares of ±ε in the linf ball, bumps in the l2 ball.

use rand::RngExt;

use crate::kit::{Norm, SampleRng};

/// Tiles along a side of the first l2 proposal.
const TILES: usize = 5;
/// Smallest side of an l2 patch.
const MIN_SIDE: usize = 3;

/// Shape of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// A rectangle of a picture.
#[derive(Debug, Clone, Copy)]
struct Window {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

fn sign(rng: &mut SampleRng) -> f32 {
    if rng.random() { 1.0 } else { -1.0 }
}

impl Shape {
    pub(super) fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Positions of a window in one channel, row by row.
    fn places(self, channel: usize, window: Window) -> impl Iterator<Item = usize> {
        let Window { top, left, height, width } = window;
        (top..top + height).flat_map(move |y| {
            let start = (channel * self.height + y) * self.width + left;
            start..start + width
        })
    }

    fn window(self, side: usize, rng: &mut SampleRng) -> Window {
        let (height, width) = (side.min(self.height), side.min(self.width));
        let top = rng.random_range(0..=self.height - height);
        let left = rng.random_range(0..=self.width - width);
        Window { top, left, height, width }
    }

    /// The first proposal.
    pub(super) fn begin(
        self,
        norm: Norm,
        origin: &[f32],
        epsilon: f32,
        rng: &mut SampleRng,
    ) -> Vec<f32> {
        let delta = match norm {
            Norm::Linf => self.stripes(epsilon, rng),
            Norm::L2 => self.tiles(epsilon, rng),
        };
        origin.iter().zip(delta).map(|(x, d)| (x + d).clamp(0.0, 1.0)).collect()
    }

    /// Columns of ±ε.
    fn stripes(self, epsilon: f32, rng: &mut SampleRng) -> Vec<f32> {
        let stripes: Vec<f32> =
            (0..self.channels * self.width).map(|_| epsilon * sign(rng)).collect();
        let row = |channel: usize| &stripes[channel * self.width..][..self.width];
        (0..self.channels)
            .flat_map(|channel| (0..self.height).flat_map(move |_| row(channel).iter().copied()))
            .collect()
    }

    /// A grid of bumps with random signs, of size ε together.
    fn tiles(self, epsilon: f32, rng: &mut SampleRng) -> Vec<f32> {
        let side = (self.height.min(self.width) / TILES).max(1);
        let mut delta = vec![0.0; self.len()];
        for top in (0..=self.height - side).step_by(side) {
            for left in (0..=self.width - side).step_by(side) {
                let window = Window { top, left, height: side, width: side };
                let bump = bump(side, side, rng.random());
                for channel in 0..self.channels {
                    let sign = sign(rng);
                    for (at, value) in self.places(channel, window).zip(&bump) {
                        delta[at] = sign * value;
                    }
                }
            }
        }
        rescale(&mut delta, epsilon);
        delta
    }

    /// Changes `candidate`, the best so far, in a patch that covers `share` of the picture.
    pub(super) fn propose(
        self,
        norm: Norm,
        origin: &[f32],
        epsilon: f32,
        share: f64,
        rng: &mut SampleRng,
        candidate: &mut [f32],
    ) {
        let side = (share * (self.height * self.width) as f64).sqrt().round() as usize;
        match norm {
            Norm::Linf => {
                let window = self.window(side.max(1), rng);
                for channel in 0..self.channels {
                    let step = epsilon * sign(rng);
                    for at in self.places(channel, window) {
                        candidate[at] = (origin[at] + step).clamp(0.0, 1.0);
                    }
                }
            }
            Norm::L2 => self.move_mass(origin, epsilon, side.max(MIN_SIDE), rng, candidate),
        }
    }

    /// Takes the perturbation out of one window and puts as much, as a bump, into another.
    fn move_mass(
        self,
        origin: &[f32],
        epsilon: f32,
        side: usize,
        rng: &mut SampleRng,
        candidate: &mut [f32],
    ) {
        let mut delta: Vec<f32> = candidate.iter().zip(origin).map(|(x, o)| x - o).collect();
        let [to, from] = [self.window(side, rng), self.window(side, rng)];
        let unused = (epsilon.powi(2) - Norm::L2.size(delta.iter().copied()).powi(2)).max(0.0);
        let bump = bump(to.height, to.width, rng.random());
        for channel in 0..self.channels {
            let mass = |delta: &[f32], window| {
                Norm::L2.size(self.places(channel, window).map(|at| delta[at]))
            };
            let here = mass(&delta, to);
            let mut patch: Vec<f32> = {
                let sign = sign(rng);
                let old = self.places(channel, to).map(|at| delta[at] / here.max(1e-12));
                bump.iter().zip(old).map(|(bump, old)| sign * bump + old).collect()
            };
            // The sum over both windows, with their overlap counted once.
            let mut rest = delta.clone();
            self.places(channel, to).for_each(|at| rest[at] = 0.0);
            let both = here.powi(2) + mass(&rest, from).powi(2);
            rescale(&mut patch, (both + unused / self.channels as f32).sqrt());
            self.places(channel, from).for_each(|at| delta[at] = 0.0);
            for (at, value) in self.places(channel, to).zip(patch) {
                delta[at] = value;
            }
        }
        rescale(&mut delta, epsilon);
        for ((x, o), d) in candidate.iter_mut().zip(origin).zip(delta) {
            *x = (o + d).clamp(0.0, 1.0);
        }
    }
}

/// Scales `values` to an l2 size of `target`; zeros stay.
fn rescale(values: &mut [f32], target: f32) {
    let factor = target / Norm::L2.size(values.iter().copied()).max(1e-12);
    values.iter_mut().for_each(|x| *x *= factor);
}

/// Two halves of opposite sign, each a pyramid of concentric rectangles, of l2 size 1; `upright`
/// turns the seam.
fn bump(height: usize, width: usize, upright: bool) -> Vec<f32> {
    let (long, short) = if upright { (width, height) } else { (height, width) };
    let half = long / 2;
    let mut values = vec![0.0; height * width];
    for (from, len, sign) in [(0, half, 1.0), (half, long - half, -1.0)] {
        let pyramid = pyramid(len, short);
        for i in 0..len {
            for j in 0..short {
                let at = if upright { j * width + from + i } else { (from + i) * width + j };
                values[at] = sign * pyramid[i * short + j];
            }
        }
    }
    rescale(&mut values, 1.0);
    values
}

/// Sum of `1 / k^2` over the rectangles of "radius" `k - 1` about the middle that hold a place.
fn pyramid(height: usize, width: usize) -> Vec<f32> {
    let n_rings = (height / 2).max(width / 2) + 1;
    let ring = |place: usize, side: usize| place.abs_diff(side / 2);
    (0..height)
        .flat_map(|i| (0..width).map(move |j| ring(i, height).max(ring(j, width))))
        .map(|radius| (radius..n_rings).map(|k| 1.0 / ((k + 1) * (k + 1)) as f32).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { channels: 3, height: 12, width: 8 };

    #[test]
    fn proposals_stay_inside_the_ball_and_the_range() {
        for norm in [Norm::Linf, Norm::L2] {
            let rng = &mut SampleRng::new(1, 2, 3);
            let origin: Vec<f32> = (0..SHAPE.len()).map(|i| (i % 11) as f32 / 10.0).collect();
            let mut candidate = SHAPE.begin(norm, &origin, 0.3, rng);
            for step in 0..200 {
                let share = 0.8 / f64::from(1 + step / 20);
                SHAPE.propose(norm, &origin, 0.3, share, rng, &mut candidate);
                let delta = candidate.iter().zip(&origin).map(|(x, o)| x - o);
                let size = norm.size(delta);
                assert!(size <= 0.3 * (1.0 + 1e-5), "{norm} step {step}: {size}");
                assert!(candidate.iter().all(|x| (0.0..=1.0).contains(x)));
            }
        }
    }

    #[test]
    fn a_bump_has_size_one_and_two_signs() {
        for (height, width, upright) in [(5, 5, true), (5, 5, false), (3, 7, true), (1, 1, false)] {
            let values = bump(height, width, upright);
            assert!((Norm::L2.size(values.iter().copied()) - 1.0).abs() < 1e-6);
            assert_eq!(values.iter().any(|x| *x > 0.0), height * width > 1);
        }
    }
}
