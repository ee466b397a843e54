//! ROAD: removed places are filled in from their neighbors. A black hole would be a trace of its own.

use burn::tensor::{Tensor, TensorData};
use cifake::{Classifier, Label};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::probability::probabilities;
use crate::HeatMap;

/// Shares of the places that are filled in, in percent.
const PERCENTILES: [usize; 9] = [10, 20, 30, 40, 50, 60, 70, 80, 90];
/// Weight of a neighbor beside a place, and of one at its corner.
const DIRECT: f64 = 1.0 / 6.0;
const DIAGONAL: f64 = 1.0 / 12.0;
/// Standard deviation of the noise on filled places.
const NOISE: f64 = 0.01;
/// Sweeps over the unknown places, at most, and the change at which they end.
const SWEEPS: usize = 500;
const SETTLED: f64 = 1e-5;
/// Factor of successive over-relaxation. With 1.7, holes of half a picture settle in some dozens of
/// sweeps; with 1, in hundreds.
const RELAXATION: f64 = 1.7;

/// `(least relevant first - most relevant first) / 2`, the mean over the percentiles of how the
/// probability of `target` changes when that share of the places is filled in.
pub(super) fn road(
    model: &dyn Classifier,
    image: &Tensor<4>,
    target: Label,
    map: &HeatMap,
    seed: u64,
) -> f64 {
    let [_, channels, height, width] = image.dims();
    let pixels: Vec<f32> =
        image.clone().into_data().convert::<f32>().try_to_vec().expect("it was converted to f32");
    let ranking = map.ranking();
    let mut filled = Vec::new();
    for percentile in PERCENTILES {
        let n_filled = ranking.len() * percentile / 100;
        for places in [&ranking[..n_filled], &ranking[ranking.len() - n_filled..]] {
            filled.extend(fill(&pixels, places, [height, width], seed));
        }
    }
    let shape = [2 * PERCENTILES.len(), channels, height, width];
    let pictures = Tensor::from_data(TensorData::new(filled, shape), &image.device());
    let found = probabilities(model, pictures, target);
    let gaps = found.chunks_exact(2).map(|pair| f64::from(pair[1] - pair[0]));
    gaps.sum::<f64>() / (2.0 * PERCENTILES.len() as f64)
}

/// `pixels` `[channels, height, width]` in which each of `places` is a weighted mean of its neighbors,
/// known or filled, plus a little noise.
fn fill(pixels: &[f32], places: &[usize], [height, width]: [usize; 2], seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut places = places.to_vec();
    places.sort_unstable();
    let neighbors: Vec<[(usize, f64); 8]> =
        places.iter().map(|&place| neighbors(place, [height, width])).collect();
    let mut out = Vec::with_capacity(pixels.len());
    for plane in pixels.chunks_exact(height * width) {
        let mut plane: Vec<f64> = plane.iter().map(|&value| value.into()).collect();
        // The starting value does not matter once the sweeps have settled; the mean is near.
        let mean = plane.iter().sum::<f64>() / plane.len() as f64;
        places.iter().for_each(|&place| plane[place] = mean);
        for _ in 0..SWEEPS {
            let mut change = 0.0f64;
            for (&place, neighbors) in places.iter().zip(&neighbors) {
                let value: f64 = neighbors.iter().map(|(at, weight)| weight * plane[*at]).sum();
                let step = RELAXATION * (value - plane[place]);
                change = change.max(step.abs());
                plane[place] += step;
            }
            if change < SETTLED {
                break;
            }
        }
        places.iter().for_each(|&place| plane[place] += NOISE * normal(&mut rng));
        out.extend(plane.into_iter().map(|value| value as f32));
    }
    out
}

/// The up to eight neighbors of a place with their weights, which sum to 1. Unused entries are the
/// place itself with weight 0.
fn neighbors(place: usize, [height, width]: [usize; 2]) -> [(usize, f64); 8] {
    let (y, x) = (place / width, place % width);
    let (mut found, mut n, mut total) = ([(place, 0.0); 8], 0, 0.0);
    for row in y.saturating_sub(1)..(y + 2).min(height) {
        for column in x.saturating_sub(1)..(x + 2).min(width) {
            let weight = match (row == y, column == x) {
                (true, true) => continue,
                (false, false) => DIAGONAL,
                _ => DIRECT,
            };
            found[n] = (row * width + column, weight);
            (n, total) = (n + 1, total + weight);
        }
    }
    found.map(|(at, weight)| (at, weight / total))
}

/// A standard normal value.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::super::corner::{Corner, bright, corner};
    use super::*;

    #[test]
    fn a_hole_in_a_plane_is_filled_by_the_plane() {
        let (height, width) = (7, 9);
        let plane =
            |place: usize| 0.1 + 0.02 * (place / width) as f32 + 0.05 * (place % width) as f32;
        let pixels: Vec<f32> = (0..height * width).map(plane).collect();
        let places = [3 * width + 4, 3 * width + 5, 4 * width + 4];
        let filled = fill(&pixels, &places, [height, width], 1);
        for place in 0..height * width {
            let apart = (filled[place] - pixels[place]).abs();
            assert!(apart < if places.contains(&place) { 0.05 } else { 1e-9 }, "{place}: {apart}");
        }
    }

    #[test]
    fn filling_what_decides_changes_more() {
        // Bright in the corner, dark elsewhere: filled from the dark, the corner no longer is FAKE.
        let map = corner(8, 8);
        let mask = Tensor::<1>::from_floats(map.values(), &bright().device());
        let image = bright() * mask.reshape([1, 1, 8, 8]);
        let right = road(&Corner, &image, Label::Fake, &map, 1);
        let wrong: Vec<f32> = map.values().iter().map(|x| 1.0 - x).collect();
        let wrong = road(&Corner, &image, Label::Fake, &HeatMap::scaled(wrong, 8, 8), 1);
        assert!(right > 0.1 && wrong < -0.1, "{right} {wrong}");
    }
}
