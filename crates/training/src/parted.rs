//! The pictures of a data set, read and split.

use std::collections::HashSet;

use cifake::{
    Dataset, Decoder, Label, Split, ValidationSplit, balanced_sample, load_pixels,
    validation_split, weights,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::TrainError;
use crate::data_config::{DataConfig, ValidationSource};
use crate::examples::Examples;

/// The pictures of a data set, split. All positions but `indices` are positions among the pictures
/// that were read.
pub(crate) struct Parted {
    side: usize,
    pub(crate) source: ValidationSource,
    /// Positions in the data set of the pictures that were read. Those of a validation split of its own
    /// come last.
    pub(crate) indices: Vec<usize>,
    /// The number of those of the training split.
    n_training: usize,
    labels: Vec<Label>,
    pixels: Vec<u8>,
    /// SHA-256 of each picture's pixels.
    pub(crate) hashes: Vec<String>,
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
}

impl Parted {
    /// Pictures of a validation split are read only where `source` says that they validate.
    pub(crate) fn new(
        dataset: &dyn Dataset,
        config: &DataConfig,
        source: ValidationSource,
        decoder: &Decoder,
    ) -> Result<Self, TrainError> {
        config.validate().map_err(TrainError::Config)?;
        let (indices, n_training) = chosen(dataset, config, source);
        let pixels = load_pixels(dataset, &indices, config.size(), decoder)?;
        let hashes: Vec<String> =
            pixels.par_chunks(config.n_bytes()).map(weights::sha256_hex).collect();
        let labels: Vec<Label> = indices.iter().map(|&i| dataset.samples()[i].label).collect();
        let side = config.side as usize;
        let (train, validation) = (Vec::new(), Vec::new());
        let parted =
            Self { side, source, indices, n_training, labels, pixels, hashes, train, validation };
        let ValidationSplit { train, validation } = parted.divided(config);
        Ok(Self { train, validation, ..parted })
    }

    /// The pictures to train on and those to validate on. No picture of the one is a copy of one of the
    /// other.
    fn divided(&self, config: &DataConfig) -> ValidationSplit {
        let mut seen = HashSet::new();
        let mut is_first = |&i: &usize| !config.deduplicate || seen.insert(&self.hashes[i]);
        let own = self.n_training..self.indices.len();
        let held_back: HashSet<&String> = self.hashes[own.clone()].iter().collect();
        let own: Vec<usize> = own.filter(&mut is_first).collect();
        let training = (0..self.n_training).filter(|&i| !held_back.contains(&self.hashes[i]));
        let training: Vec<usize> = training.filter(is_first).collect();
        if self.source == ValidationSource::OwnSplit {
            return ValidationSplit { train: training, validation: own };
        }
        let groups: Vec<u64> = training.iter().map(|&i| group(&self.hashes[i])).collect();
        let labels: Vec<Label> = training.iter().map(|&i| self.labels[i]).collect();
        let split = validation_split(&groups, &labels, config.validation_fraction, config.seed);
        let [train, validation] = [split.train, split.validation]
            .map(|part| part.into_iter().map(|place| training[place]).collect());
        ValidationSplit { train, validation }
    }

    /// The number of pictures in neither part, because they are copies.
    pub(crate) fn n_duplicates(&self) -> usize {
        self.indices.len() - self.train.len() - self.validation.len()
    }

    /// Both parts as positions in the data set.
    pub(crate) fn split(&self) -> ValidationSplit {
        let [train, validation] = [&self.train, &self.validation]
            .map(|part| part.iter().map(|&i| self.indices[i]).collect());
        ValidationSplit { train, validation }
    }

    /// SHA-256 over the pictures that were read and their labels, as hexadecimal digits; over the name
    /// of a validation split of its own, too, before its pictures.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (i, (picture, label)) in self.hashes.iter().zip(&self.labels).enumerate() {
            if i == self.n_training {
                hash.update(Split::Validation.as_str());
            }
            hash.update(picture.as_bytes());
            hash.update([label.index() as u8]);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A set with one label cannot be learned, and one without a label cannot be validated on.
    pub(crate) fn must_have_both_labels(&self) -> Result<(), String> {
        let parts = [("training", &self.train), ("validation", &self.validation)];
        for (name, part) in parts {
            let is_there = |label: &Label| part.iter().any(|&i| self.labels[i] == *label);
            if let Some(label) = Label::ALL.iter().find(|label| !is_there(label)) {
                let or_change = match self.source {
                    ValidationSource::HeldBack => ", or change data.validation_fraction",
                    ValidationSource::OwnSplit => "",
                };
                return Err(format!(
                    "the {name} set has no {label} picture; give more pictures of both labels{or_change}"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn examples(&self, part: &[usize]) -> Result<Examples, TrainError> {
        let one = self.side * self.side * 3;
        let pixels = part.iter().flat_map(|i| &self.pixels[i * one..(i + 1) * one]).copied();
        let labels = part.iter().map(|&i| self.labels[i]).collect();
        Examples::new(pixels.collect(), labels, self.side)
    }
}

/// Positions of the pictures to read: those of the training split within the limit, then those of a
/// validation split of its own; and how many the former are.
fn chosen(
    dataset: &dyn Dataset,
    config: &DataConfig,
    source: ValidationSource,
) -> (Vec<usize>, usize) {
    let samples = dataset.samples();
    let is_own = |&index: &usize| samples[index].split == Some(Split::Validation);
    let (own, mut indices): (Vec<usize>, Vec<usize>) = (0..samples.len()).partition(is_own);
    if config.limit > 0 {
        let labels: Vec<Label> = indices.iter().map(|&i| samples[i].label).collect();
        let drawn = balanced_sample(&labels, config.limit, config.seed);
        indices = drawn.into_iter().map(|place| indices[place]).collect();
    }
    let n_training = indices.len();
    if source == ValidationSource::OwnSplit {
        indices.extend(own);
    }
    (indices, n_training)
}

/// The first 64 bits of a hash.
fn group(hash: &str) -> u64 {
    u64::from_str_radix(&hash[..16], 16).expect("a SHA-256 is written in hexadecimal digits")
}
