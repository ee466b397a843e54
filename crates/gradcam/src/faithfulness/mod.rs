//! Whether the places that a map marks are those that the verdict rests on.

mod curve;
mod road;

use std::fmt;

use burn::tensor::{Tensor, activation};
use cifake::metrics::{Bootstrap, Metric};
use cifake::{Classifier, Label};
use serde::{Deserialize, Serialize};

pub use curve::{deletion, insertion};

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

/// Faithfulness over many pictures, with intervals.
#[derive(Debug, Clone, Serialize)]
pub struct FaithfulnessRow {
    /// See [`Faithfulness::deletion`].
    pub deletion: Metric,
    /// See [`Faithfulness::insertion`].
    pub insertion: Metric,
    /// See [`Faithfulness::road`].
    pub road: Metric,
    /// See [`Faithfulness::average_drop`].
    pub average_drop: Metric,
    /// Share of the pictures.
    pub confidence_increase: Metric,
}

/// Maps beside two that know nothing of the picture.
#[derive(Debug, Clone, Serialize)]
pub struct FaithfulnessReport {
    /// Pictures.
    pub n: usize,
    /// Pictures whose map is flat.
    pub n_flat: usize,
    /// The maps that were given.
    pub maps: FaithfulnessRow,
    /// Random maps of the same size.
    pub random: FaithfulnessRow,
    /// A bump in the middle of every picture.
    pub centre: FaithfulnessRow,
    /// Every picture, in order: the map's, the random map's, the centre prior's.
    #[serde(skip)]
    pub samples: Vec<[Faithfulness; 3]>,
}

impl fmt::Display for FaithfulnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<8} {:>22} {:>22} {:>23} {:>22} {:>22}",
            "", "deletion (low)", "insertion (high)", "ROAD (high)", "drop (low)", "rise (high)"
        )?;
        let show = |m: &Metric| format!("{:.3} [{:.3}, {:.3}]", m.value, m.low, m.high);
        for (name, row) in
            [("maps", &self.maps), ("random", &self.random), ("centre", &self.centre)]
        {
            writeln!(
                f,
                "{name:<8} {:>22} {:>22} {:>23} {:>22} {:>22}",
                show(&row.deletion),
                show(&row.insertion),
                show(&row.road),
                show(&row.average_drop),
                show(&row.confidence_increase)
            )?;
        }
        write!(f, "{} pictures, {} of them with a flat map", self.n, self.n_flat)
    }
}

/// Measures `maps` of `images` `[batch, 3, height, width]` for the labels `targets`, and beside each
/// a random map of its size, drawn from `seed` and the picture's place, and the centre prior.
///
/// # Errors
///
/// [`Error::Counts`] where there is not one label and one map a picture, or no picture.
pub fn faithfulness(
    model: &dyn Classifier,
    images: &Tensor<4>,
    targets: &[Label],
    maps: &[HeatMap],
    seed: u64,
) -> Result<FaithfulnessReport, Error> {
    let n = images.dims()[0];
    if n == 0 || targets.len() != n || maps.len() != n {
        return Err(Error::Counts { images: n, labels: targets.len(), maps: maps.len() });
    }
    let mut samples = Vec::with_capacity(n);
    for (place, (&target, map)) in targets.iter().zip(maps).enumerate() {
        let image = images.clone().narrow(0, place, 1);
        let (height, width) = (map.height(), map.width());
        let random = HeatMap::random(height, width, seed.wrapping_add(place as u64));
        let centre = HeatMap::centre_prior(height, width);
        samples.push([map, &random, &centre].map(|map| measure(model, &image, target, map, seed)));
    }
    let bootstrap = Bootstrap::new(seed);
    let row = |which: usize| FaithfulnessRow::new(&samples, which, &bootstrap);
    let n_flat = maps.iter().filter(|map| map.is_flat()).count();
    let [maps, random, centre] = [0, 1, 2].map(row);
    Ok(FaithfulnessReport { n, n_flat, maps, random, centre, samples })
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

impl FaithfulnessRow {
    fn new(samples: &[[Faithfulness; 3]], which: usize, bootstrap: &Bootstrap) -> Self {
        let values = |f: &Faithfulness| {
            [f.deletion, f.insertion, f.road, f.average_drop, f.confidence_increase]
        };
        let means = |counts: &[u32]| -> [f64; 5] {
            let mut sums = [0.0; 5];
            for (sample, &count) in samples.iter().zip(counts) {
                let of = values(&sample[which]);
                sums.iter_mut().zip(of).for_each(|(sum, x)| *sum += f64::from(count) * x);
            }
            sums.map(|sum| sum / samples.len() as f64)
        };
        let value = means(&vec![1; samples.len()]);
        let intervals = bootstrap.intervals(samples.len(), means);
        let metric = |i: usize| {
            let (low, high) = intervals[i].unwrap_or((value[i], value[i]));
            Metric { value: value[i], low, high }
        };
        Self {
            deletion: metric(0),
            insertion: metric(1),
            road: metric(2),
            average_drop: metric(3),
            confidence_increase: metric(4),
        }
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
    fn the_right_map_beats_both_controls() {
        let images = Tensor::cat(vec![bright(); 4], 0);
        let report = faithfulness(&Corner, &images, &[Label::Fake; 4], &vec![corner(8, 8); 4], 1)
            .expect("one map a picture");
        for control in [&report.random, &report.centre] {
            assert!(report.maps.deletion.value < control.deletion.value, "{report:?}");
            assert!(report.maps.insertion.value > control.insertion.value, "{report:?}");
            assert!(report.maps.average_drop.value < control.average_drop.value, "{report:?}");
        }
        assert!(report.maps.road.value >= report.random.road.value - 0.05, "{report:?}");
        assert_eq!((report.n, report.n_flat), (4, 0));
    }

    #[test]
    fn a_picture_without_a_map_is_an_error() {
        let error = faithfulness(&Corner, &bright(), &[Label::Fake], &[], 1);
        assert!(matches!(error, Err(Error::Counts { .. })));
    }
}
