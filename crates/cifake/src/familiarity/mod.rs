//! The distance of a picture from those that a detector learned from.
//!
//! One number, its *distance*, is the mean of the squared deviations of the network's last features from the
//! nearest class mean, in standard deviations of the training pictures (a squared Mahalanobis distance over
//! its dimensions; Lee et al. 2018, arXiv 1807.03888), plus three times the same of [`pixel_statistics`]. The
//! second part is there since a network that looks for traces of generators maps flat colors and drawings to
//! features that it knows. The share of held-back pictures farther away is the picture's *familiarity*.

mod gaussian;
mod pixel;
mod score;

use std::collections::BTreeMap;

use burn::tensor::TensorData;

use gaussian::Gaussians;
pub use pixel::{N_PIXEL_STATISTICS, pixel_statistics};
pub use score::{StrangerScore, StrangerScores};

use crate::{DetectorError, Error, Observation, Observed};

/// Distances of which a table consists: the quantiles at 0, 1, ... 100 %.
const N_QUANTILES: usize = 101;
/// Names of the tensors in a weight file, behind [`PREFIX`].
const TENSORS: [&str; 5] =
    ["features.means", "features.factor", "pixels.means", "pixels.factor", "distances"];
/// The weight of the pixel statistics beside the features: the least of 1, 3 and 10 with which 19 of 20 drawings of
/// every kind are farther away than 19 of 20 training pictures of CIFAKE.
const PIXEL_WEIGHT: f32 = 3.0;
const PREFIX: &str = Familiarity::PREFIX;

/// The training pictures as a detector saw them: how far others are from them, and how many are as far.
#[derive(Debug, Clone, PartialEq)]
pub struct Familiarity {
    features: Gaussians,
    pixels: Gaussians,
    /// Quantiles over held-back pictures, ascending.
    distances: Vec<f32>,
}

impl Familiarity {
    /// The prefix of its tensors' names in a weight file.
    pub const PREFIX: &str = "familiarity.";

    /// Of what a detector saw in `training` pictures, and in `held_back` ones that it was not trained on, whose
    /// distances become the table of quantiles.
    ///
    /// The features have a mean for each label and class, the pixel statistics one for each label; `ridge`
    /// times the mean variance is added to each variance.
    ///
    /// # Errors
    ///
    /// [`DetectorError::TooFewPictures`] of any kind; [`DetectorError::FlatFeatures`].
    pub fn fit(training: &Observed, held_back: &Observed, ridge: f64) -> Result<Self, Error> {
        let features: Vec<&[f32]> = training.iter().map(|(_, seen)| &seen.features[..]).collect();
        let pixels: Vec<&[f32]> = training.iter().map(|(_, seen)| &seen.statistics[..]).collect();
        let mut numbers = BTreeMap::new();
        let kinds: Vec<_> =
            training.iter().map(|(sample, _)| (sample.label, sample.class)).collect();
        kinds.iter().for_each(|kind| {
            let next = numbers.len();
            numbers.entry(*kind).or_insert(next);
        });
        let by_class: Vec<usize> = kinds.iter().map(|kind| numbers[kind]).collect();
        let mut labels = BTreeMap::new();
        kinds.iter().for_each(|(label, _)| {
            let next = labels.len();
            labels.entry(*label).or_insert(next);
        });
        let by_label: Vec<usize> = kinds.iter().map(|(label, _)| labels[label]).collect();
        let mut found = Self {
            features: Gaussians::fit(&features, &by_class, ridge)?,
            pixels: Gaussians::fit(&pixels, &by_label, ridge)?,
            distances: Vec::new(),
        };
        found.distances = found.quantiles(held_back)?;
        Ok(found)
    }

    /// From the tensors of a weight file, by their names without the prefix, for features of `dim`; a sentence
    /// says what is wrong with them.
    pub(crate) fn from_tensors(
        mut tensors: BTreeMap<String, TensorData>,
        dim: usize,
    ) -> Result<Self, String> {
        let mut take = |name: &str| {
            tensors.remove(name).ok_or_else(|| format!("it lacks the tensor {PREFIX}{name}"))
        };
        let [means, factor, pixel_means, pixel_factor, distances] = TENSORS;
        let found = Self {
            features: gaussians(take(means)?, take(factor)?, dim)
                .map_err(|reason| format!("of the features of its familiarity, {reason}"))?,
            pixels: gaussians(take(pixel_means)?, take(pixel_factor)?, N_PIXEL_STATISTICS)
                .map_err(|reason| {
                    format!("of the pixel statistics of its familiarity, {reason}")
                })?,
            distances: table(take(distances)?, distances)?,
        };
        match tensors.keys().next() {
            Some(unknown) => Err(format!("it holds an unknown tensor {PREFIX}{unknown}")),
            None => Ok(found),
        }
    }

    /// The tensors that a weight file holds, by their names without the prefix.
    pub(crate) fn to_tensors(&self) -> BTreeMap<String, TensorData> {
        let matrix = |values: &[f32], dim: usize| {
            TensorData::new(values.to_vec(), [values.len() / dim, dim])
        };
        let of = |g: &Gaussians| [matrix(g.means(), g.dim()), matrix(g.factor(), g.dim())];
        let list = |values: &[f32]| TensorData::new(values.to_vec(), [values.len()]);
        let [[means, factor], [pixel_means, pixel_factor]] = [of(&self.features), of(&self.pixels)];
        let all = [means, factor, pixel_means, pixel_factor, list(&self.distances)];
        TENSORS.into_iter().map(str::to_owned).zip(all).collect()
    }

    /// The distance of a picture from the training pictures, at least 0; see the module.
    #[must_use]
    pub fn distance(&self, seen: &Observation) -> f32 {
        let mean_square =
            |of: &Gaussians, values: &[f32]| of.squared_distance(values) / of.dim() as f32;
        let features = mean_square(&self.features, &seen.features);
        let pixels = mean_square(&self.pixels, &seen.statistics);
        (features + PIXEL_WEIGHT * pixels).min(f32::MAX)
    }

    /// Share of the held-back pictures, which had the model's size, that are farther away, in percent: 100 where
    /// all are. A resized picture is compared with them as well.
    #[must_use]
    pub fn percentile(&self, seen: &Observation) -> f32 {
        share_farther(&self.distances, self.distance(seen))
    }

    /// The squared distances of the two parts from their means: features, pixel statistics.
    pub(crate) fn parts(&self, seen: &Observation) -> [f32; 2] {
        [
            self.features.squared_distance(&seen.features),
            self.pixels.squared_distance(&seen.statistics),
        ]
    }

    /// Class means of the features.
    #[must_use]
    pub fn n_means(&self) -> usize {
        self.features.n_groups()
    }

    fn quantiles(&self, observed: &Observed) -> Result<Vec<f32>, Error> {
        let mut distances: Vec<f32> =
            observed.iter().map(|(_, seen)| self.distance(seen)).collect();
        if distances.len() < N_QUANTILES {
            let (found, needed) = (distances.len(), N_QUANTILES);
            return Err(DetectorError::TooFewPictures { found, needed }.into());
        }
        distances.sort_by(f32::total_cmp);
        let last = distances.len() - 1;
        Ok((0..N_QUANTILES).map(|percent| distances[percent * last / (N_QUANTILES - 1)]).collect())
    }
}

/// The place of `distance` in an ascending `table` of quantiles, from above, in percent.
fn share_farther(table: &[f32], distance: f32) -> f32 {
    let n_nearer = table.partition_point(|quantile| *quantile < distance);
    let last = table.len() - 1;
    let nearer = match n_nearer {
        0 => 0.0,
        n if n > last => last as f32,
        n => {
            let [low, high] = [table[n - 1], table[n]];
            (n - 1) as f32 + (distance - low) / (high - low)
        }
    };
    100.0 * (1.0 - nearer / last as f32)
}

fn gaussians(means: TensorData, factor: TensorData, dim: usize) -> Result<Gaussians, String> {
    let [rows, columns] = [&means, &factor].map(|data| data.shape().to_vec());
    if rows.len() != 2 || rows[1] != dim || columns != [dim, dim] {
        return Err(format!("the shapes {rows:?} and {columns:?} are not of {dim} values"));
    }
    Ok(Gaussians::new(numbers(means)?, numbers(factor)?, dim)?)
}

fn table(data: TensorData, name: &str) -> Result<Vec<f32>, String> {
    let values = numbers(data)?;
    let is_table = values.len() == N_QUANTILES
        && values.is_sorted()
        && values.iter().all(|value| value.is_finite() && *value >= 0.0);
    is_table
        .then_some(values)
        .ok_or_else(|| format!("{PREFIX}{name} is no list of {N_QUANTILES} ascending distances"))
}

fn numbers(data: TensorData) -> Result<Vec<f32>, String> {
    data.try_to_vec::<f32>().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
