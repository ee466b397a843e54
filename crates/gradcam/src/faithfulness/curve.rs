//! Deletion and insertion: the probability while places are blacked out or restored, the strongest
//! first.

use burn::tensor::{Tensor, TensorData};
use cifake::{Classifier, Label};

use super::probability::probabilities;
use crate::HeatMap;

/// Number of steps, each with the same number of places.
const STEPS: usize = 20;

/// Area under the probability of `target` while the places of `image` `[1, 3, height, width]` are
/// blacked out in 20 steps, the strongest of `map` first.
///
/// # Panics
///
/// If the sizes of the map and the picture differ.
#[must_use]
pub fn deletion(model: &dyn Classifier, image: &Tensor<4>, target: Label, map: &HeatMap) -> f64 {
    area(&curve(model, image, target, map, false))
}

/// Area under the probability of `target` while the places of `image` `[1, 3, height, width]` are
/// restored on black in 20 steps, the strongest of `map` first.
///
/// # Panics
///
/// If the sizes of the map and the picture differ.
#[must_use]
pub fn insertion(model: &dyn Classifier, image: &Tensor<4>, target: Label, map: &HeatMap) -> f64 {
    area(&curve(model, image, target, map, true))
}

/// The probability after 0, 1, ... 20 steps.
fn curve(
    model: &dyn Classifier,
    image: &Tensor<4>,
    target: Label,
    map: &HeatMap,
    inserts: bool,
) -> Vec<f32> {
    let [_, _, height, width] = image.dims();
    assert_eq!((map.height(), map.width()), (height, width), "the map has the picture's size");
    let n_places = height * width;
    let mut rank = vec![0; n_places];
    for (position, place) in map.ranking().into_iter().enumerate() {
        rank[place] = position;
    }
    let kept = |step: usize, place: usize| {
        let is_among_first = rank[place] * STEPS < step * n_places;
        f32::from(u8::from(is_among_first == inserts))
    };
    let masks: Vec<f32> = (0..=STEPS)
        .flat_map(|step| (0..n_places).map(move |p| (step, p)))
        .map(|(s, p)| kept(s, p))
        .collect();
    let masks = TensorData::new(masks, [STEPS + 1, 1, height, width]);
    let masks = Tensor::<4>::from_data(masks, &image.device());
    probabilities(model, image.clone() * masks, target)
}

/// Area under a curve over `[0, 1]` by the trapezoidal rule.
fn area(curve: &[f32]) -> f64 {
    let pairs = curve.windows(2).map(|pair| f64::from(pair[0] + pair[1]) / 2.0);
    pairs.sum::<f64>() / (curve.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::corner::{Corner, bright, corner};
    use super::*;

    /// The numbers of torchcam's own tests.
    #[test]
    fn areas_are_torchcams() {
        assert!((area(&[1.0, 0.3, 0.0]) - 0.4).abs() < 1e-7);
        assert!((area(&[0.0, 0.7, 1.0]) - 0.6).abs() < 1e-7);
    }

    #[test]
    fn curves_run_between_the_picture_and_black() {
        let map = corner(8, 8);
        let [gone, come] =
            [false, true].map(|inserts| curve(&Corner, &bright(), Label::Fake, &map, inserts));
        let ends =
            probabilities(&Corner, Tensor::cat(vec![bright(), bright() * 0.0], 0), Label::Fake);
        assert_eq!((gone[0], gone[STEPS]), (ends[0], ends[1]));
        assert_eq!((come[0], come[STEPS]), (ends[1], ends[0]));
        // A quarter of the places decides: after six of twenty steps nothing more happens.
        assert!(gone[6..].iter().all(|p| *p == gone[STEPS]), "{gone:?}");
    }
}
