//! From a data set to what a run trains on and what it is validated on.

use std::collections::HashSet;

use cifake::{Dataset, Decoder, Label, balanced_sample, load_pixels, validation_split, weights};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::examples::Examples;

/// Which part of a training set is trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Height and width that pictures are brought to.
    pub side: u32,
    /// Share of the training set that is held back to choose the epoch, threshold and temperature.
    pub validation_fraction: f64,
    /// Keeps the first picture of each group of identical ones.
    pub deduplicate: bool,
    /// Uses only this many pictures, both labels alike, where that is not 0.
    pub limit: usize,
    /// Seed of the split and of the limit; apart from the run's, so that runs of several seeds
    /// share their validation set.
    pub seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { side: 32, validation_fraction: 0.05, deduplicate: true, limit: 0, seed: 1 }
    }
}

/// A training and a validation set in memory.
#[derive(Debug)]
pub struct TrainingData {
    /// What is trained on.
    pub train: Examples,
    /// What chooses: never part of `train`, not even as a copy.
    pub validation: Examples,
    /// Pictures left out since another is identical.
    pub n_duplicates: usize,
}

impl TrainingData {
    /// Decodes the pictures of `dataset` in the current thread pool.
    ///
    /// # Errors
    ///
    /// A picture that cannot be read, or too few of them to split.
    pub fn load(
        dataset: &dyn Dataset,
        config: &DataConfig,
        decoder: &Decoder,
    ) -> Result<Self, TrainError> {
        let samples = dataset.samples();
        let every_label: Vec<Label> = samples.iter().map(|sample| sample.label).collect();
        let indices: Vec<usize> = match config.limit {
            0 => (0..samples.len()).collect(),
            limit => balanced_sample(&every_label, limit, config.seed),
        };
        let size = (config.side, config.side);
        let pixels = load_pixels(dataset, &indices, size, decoder)?;
        let one = config.side as usize * config.side as usize * 3;
        let hashes: Vec<String> = pixels.par_chunks(one).map(weights::sha256_hex).collect();
        let labels: Vec<Label> = indices.iter().map(|&i| every_label[i]).collect();

        let mut seen = HashSet::new();
        let is_kept = |&i: &usize| !config.deduplicate || seen.insert(&hashes[i]);
        let kept: Vec<usize> = (0..indices.len()).filter(is_kept).collect();
        let groups: Vec<u64> = kept.iter().map(|&i| group(&hashes[i])).collect();
        let kept_labels: Vec<Label> = kept.iter().map(|&i| labels[i]).collect();
        let parts =
            validation_split(&groups, &kept_labels, config.validation_fraction, config.seed);
        let side = config.side as usize;
        let take = |part: &[usize]| {
            let chosen = || part.iter().map(|&place| kept[place]);
            let pixels = chosen().flat_map(|i| &pixels[i * one..(i + 1) * one]).copied();
            Examples::new(pixels.collect(), chosen().map(|i| labels[i]).collect(), side)
        };
        Ok(Self {
            train: take(&parts.train)?,
            validation: take(&parts.validation)?,
            n_duplicates: indices.len() - kept.len(),
        })
    }
}

/// The first 64 bits of a hash.
fn group(hash: &str) -> u64 {
    u64::from_str_radix(&hash[..16], 16).expect("a SHA-256 is written in hexadecimal digits")
}
