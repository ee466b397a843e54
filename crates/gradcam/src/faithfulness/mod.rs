//! Faithfulness: whether a verdict rests on the places that its map marks.

#[cfg(test)]
mod corner;
mod curve;
mod probability;
mod report;
mod road;
mod value;

use burn::tensor::Tensor;
use cifake::{Classifier, Label};
use cifake_eval::metrics::Bootstrap;

pub use curve::{deletion, insertion};
pub use report::{FaithfulnessReport, FaithfulnessRow};
pub use value::Faithfulness;

use probability::probabilities;

use crate::{Error, HeatMap};

/// Measures several named sets of maps of `images` `[batch, 3, height, width]`, one map a picture
/// and set, for the labels `targets`.
///
/// Two controls of the size of the first set's maps stand beside them: a random map, drawn from
/// `seed` and the picture's index, and the center prior. `progress` is called with 1 after each
/// picture.
///
/// # Errors
///
/// [`Error::Counts`] unless there is one label a picture and one map a picture and set, and at least
/// one picture and one set.
pub fn faithfulness(
    model: &dyn Classifier,
    images: &Tensor<4>,
    targets: &[Label],
    sets: &[(&str, Vec<HeatMap>)],
    seed: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<FaithfulnessReport, Error> {
    let n = images.dims()[0];
    let n_maps = sets.iter().map(|(_, maps)| maps.len()).find(|len| *len != n).unwrap_or(n);
    if n == 0 || targets.len() != n || n_maps != n || sets.is_empty() {
        let maps = if sets.is_empty() { 0 } else { n_maps };
        return Err(Error::Counts { images: n, targets: targets.len(), maps });
    }
    let mut samples = Vec::with_capacity(n);
    for (place, &target) in targets.iter().enumerate() {
        let image = images.clone().narrow(0, place, 1);
        let first = &sets[0].1[place];
        let controls = [
            HeatMap::random(first.height(), first.width(), seed.wrapping_add(place as u64)),
            HeatMap::center_prior(first.height(), first.width()),
        ];
        let maps = sets.iter().map(|(_, maps)| &maps[place]).chain(&controls);
        samples.push(maps.map(|map| measure(model, &image, target, map, seed)).collect());
        progress(1);
    }
    Ok(FaithfulnessReport::new(sets, samples, &Bootstrap::new(seed)))
}

fn measure(
    model: &dyn Classifier,
    image: &Tensor<4>,
    target: Label,
    map: &HeatMap,
    seed: u64,
) -> Faithfulness {
    let [_, _, height, width] = image.dims();
    let map = map.resized(height, width);
    let mask = Tensor::<1>::from_floats(map.values(), &image.device());
    let masked = image.clone() * mask.reshape([1, 1, height, width]);
    let both = Tensor::cat(vec![image.clone(), masked], 0);
    let both = probabilities(model, both, target);
    let (before, after) = (f64::from(both[0]), f64::from(both[1]));
    Faithfulness {
        deletion: deletion(model, image, target, &map),
        insertion: insertion(model, image, target, &map),
        road: road::road(model, image, target, &map, seed),
        average_drop: (before - after).max(0.0) / before.max(1e-9),
        confidence_increase: f64::from(u8::from(after > before)),
    }
}

#[cfg(test)]
mod tests {
    use super::corner::{Corner, bright, corner};
    use super::*;

    #[test]
    fn the_right_map_beats_both_controls_and_is_the_best() {
        let images = Tensor::cat(vec![bright(); 4], 0);
        let wrong = HeatMap::scaled(corner(8, 8).values().iter().map(|x| 1.0 - x).collect(), 8, 8);
        let sets = [("wrong", vec![wrong; 4]), ("right", vec![corner(8, 8); 4])];
        let mut n_heard = 0;
        let mut progress = |n| n_heard += n;
        let report = faithfulness(&Corner, &images, &[Label::Fake; 4], &sets, 1, &mut progress)
            .expect("one map of each set a picture");
        assert_eq!((report.n, n_heard, report.best()), (4, 4, 1));
        let [wrong, right] = &report.maps[..] else { panic!("two sets: {report:?}") };
        for other in [wrong, &report.controls[0], &report.controls[1]] {
            assert!(right.deletion.value < other.deletion.value, "{report:?}");
            assert!(right.insertion.value > other.insertion.value, "{report:?}");
            assert!(right.average_drop.value < other.average_drop.value, "{report:?}");
        }
        assert!(right.road.value >= report.controls[0].road.value - 0.05, "{report:?}");
        assert_eq!((right.name.as_str(), right.n_flat), ("right", 0));
    }

    #[test]
    fn a_picture_without_a_map_or_a_label_is_an_error() {
        let sets = [("maps", vec![corner(8, 8)])];
        let none = [("maps", Vec::new())];
        for (targets, sets) in
            [(&[][..], &sets[..]), (&[Label::Fake], &none), (&[Label::Fake], &[])]
        {
            let error = faithfulness(&Corner, &bright(), targets, sets, 1, &mut |_| {});
            assert!(matches!(error, Err(Error::Counts { .. })));
        }
    }
}
