//! Whether the places that a map marks are those that the verdict rests on.

mod curve;
mod report;
mod road;

use burn::tensor::{Tensor, activation};
use cifake::metrics::Bootstrap;
use cifake::{Classifier, Label};
use serde::{Deserialize, Serialize};

pub use curve::{deletion, insertion};
pub use report::{FaithfulnessReport, FaithfulnessRow};

use crate::{Error, HeatMap};

/// What one map is worth on one picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Faithfulness {
    /// Area under the probability while the strongest places go first (Petsiuk et al. 2018,
    /// arXiv 1806.07421); lower is better.
    pub deletion: f64,
    /// The same while they come first, on black; higher is better.
    pub insertion: f64,
    /// ROAD (Rong et al. 2022, arXiv 2202.00449): how much less the probability changes when the
    /// weakest places are blurred away than when the strongest are, halved; higher is better.
    pub road: f64,
    /// Share of the probability that is lost when the picture is multiplied by the map
    /// (Chattopadhay et al. 2018); lower is better.
    pub average_drop: f64,
    /// 1 where the probability rises instead.
    pub confidence_increase: f64,
}

/// Measures several sets of maps of `images` `[batch, 3, height, width]` for the labels `targets`, each
/// set with its name, and beside them a random map of each picture, drawn from `seed` and the picture's
/// place, and the centre prior, both of the size of the first set's map. `progress` hears of every
/// picture.
///
/// # Errors
///
/// [`Error::Counts`] where there is not one label and one map of each set a picture, or no picture.
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
        return Err(Error::Counts { images: n, labels: targets.len(), maps });
    }
    let mut samples = Vec::with_capacity(n);
    for (place, &target) in targets.iter().enumerate() {
        let image = images.clone().narrow(0, place, 1);
        let first = &sets[0].1[place];
        let controls = [
            HeatMap::random(first.height(), first.width(), seed.wrapping_add(place as u64)),
            HeatMap::centre_prior(first.height(), first.width()),
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

/// The probability of `target` of each of `images`.
fn probabilities(model: &dyn Classifier, images: Tensor<4>, target: Label) -> Vec<f32> {
    let logits = model.logits(images);
    let [batch, _] = logits.dims();
    let of_target = activation::softmax(logits, 1).narrow(1, target.index(), 1).reshape([batch]);
    of_target.into_data().convert::<f32>().try_to_vec().expect("it was converted to f32")
}

#[cfg(test)]
pub(crate) mod tests {
    use burn::tensor::Device;

    use super::*;

    /// Calls FAKE what is bright in its left upper quarter.
    pub(crate) struct Corner;

    impl Classifier for Corner {
        fn logits(&self, images: Tensor<4>) -> Tensor<2> {
            let [batch, _, height, width] = images.dims();
            let corner = images.slice([0..batch, 0..3, 0..height / 2, 0..width / 2]);
            let mean = corner.reshape([batch, 3 * (height / 2) * (width / 2)]).mean_dim(1);
            let z = (mean - 0.5) * 10.0;
            Tensor::cat(vec![z.zeros_like(), z], 1)
        }
    }

    pub(crate) fn bright() -> Tensor<4> {
        Tensor::<4>::ones([1, 3, 8, 8], &Device::flex()) * 0.9
    }

    pub(crate) fn corner(height: usize, width: usize) -> HeatMap {
        let is_in = |place: usize| place / width < height / 2 && place % width < width / 2;
        let values = (0..height * width).map(|place| f32::from(u8::from(is_in(place))));
        HeatMap::scaled(values.collect(), height, width)
    }

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
