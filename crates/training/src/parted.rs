//! The pictures of a data set, read and split.

use std::collections::HashSet;

use cifake::{
    Dataset, Decoder, Label, ValidationSplit, balanced_sample, load_pixels, validation_split,
    weights,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::TrainError;
use crate::data_config::DataConfig;
use crate::examples::Examples;

/// The pictures of a data set, split. All positions but `indices` are positions among the pictures
/// that were read.
pub(crate) struct Parted {
    side: usize,
    /// Positions in the data set of the pictures that were read.
    pub(crate) indices: Vec<usize>,
    labels: Vec<Label>,
    pixels: Vec<u8>,
    /// SHA-256 of each picture's pixels.
    pub(crate) hashes: Vec<String>,
    pub(crate) n_duplicates: usize,
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
}

impl Parted {
    pub(crate) fn new(
        dataset: &dyn Dataset,
        config: &DataConfig,
        decoder: &Decoder,
    ) -> Result<Self, TrainError> {
        config.validate().map_err(TrainError::Config)?;
        let samples = dataset.samples();
        let every_label: Vec<Label> = samples.iter().map(|sample| sample.label).collect();
        let indices: Vec<usize> = match config.limit {
            0 => (0..samples.len()).collect(),
            limit => balanced_sample(&every_label, limit, config.seed),
        };
        let pixels = load_pixels(dataset, &indices, config.size(), decoder)?;
        let hashes: Vec<String> =
            pixels.par_chunks(config.n_bytes()).map(weights::sha256_hex).collect();
        let labels: Vec<Label> = indices.iter().map(|&i| every_label[i]).collect();

        let mut seen = HashSet::new();
        let is_kept = |&i: &usize| !config.deduplicate || seen.insert(&hashes[i]);
        let kept: Vec<usize> = (0..indices.len()).filter(is_kept).collect();
        let groups: Vec<u64> = kept.iter().map(|&i| group(&hashes[i])).collect();
        let kept_labels: Vec<Label> = kept.iter().map(|&i| labels[i]).collect();
        let parts =
            validation_split(&groups, &kept_labels, config.validation_fraction, config.seed);
        let [train, validation] = [parts.train, parts.validation]
            .map(|part| part.into_iter().map(|place| kept[place]).collect());
        let n_duplicates = indices.len() - kept.len();
        let side = config.side as usize;
        Ok(Self { side, indices, labels, pixels, hashes, n_duplicates, train, validation })
    }

    /// Both parts as positions in the data set.
    pub(crate) fn split(&self) -> ValidationSplit {
        let [train, validation] = [&self.train, &self.validation]
            .map(|part| part.iter().map(|&i| self.indices[i]).collect());
        ValidationSplit { train, validation }
    }

    /// SHA-256 over the pictures that were read and their labels, as hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (picture, label) in self.hashes.iter().zip(&self.labels) {
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
                return Err(format!(
                    "the {name} set has no {label} picture; give more pictures of both labels, or \
                     change data.validation_fraction"
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

/// The first 64 bits of a hash.
fn group(hash: &str) -> u64 {
    u64::from_str_radix(&hash[..16], 16).expect("a SHA-256 is written in hexadecimal digits")
}
