//! The data set that weights were trained on, as their file records it.

use std::collections::{BTreeMap, HashSet};

use cifake::{Dataset, Decoder, ValidationSplit};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::data_config::{DataConfig, ValidationSource};
use crate::parted::Parted;

/// The data set that weights were trained on, and its split.
///
/// A [`Trainer`](crate::Trainer) with [`with_record`](crate::Trainer::with_record) writes the record
/// into its weight files. A program that reads it can refuse to call training pictures a validation
/// set:
///
/// ```no_run
/// # use cifake::weights::{Checkpoint, Source};
/// # fn parts(path: &std::path::Path, dataset: &dyn cifake::Dataset) -> Result<(), cifake_training::TrainError> {
/// use cifake_training::TrainedOn;
///
/// let checkpoint = Checkpoint::open(Source::File(path))?;
/// if let Some(record) = TrainedOn::from_metadata(&checkpoint.info().metadata)? {
///     let held_back = record.parts(dataset, &cifake::Decoder::default())?.validation;
/// }
/// # Ok(())
/// # }
/// ```
///
/// Weights that a run started from, and the weights of its teacher, have records of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrainedOn {
    /// Size, limit and split of the pictures.
    pub config: DataConfig,
    /// The source of the validation pictures. A file without this field is of a version that held back training
    /// pictures always.
    #[serde(default)]
    pub validation: ValidationSource,
    /// SHA-256 over the pixels and labels of all pictures that were read, in their order: those of the
    /// training split, then those of a validation split of its own.
    pub fingerprint: String,
}

impl TrainedOn {
    /// Metadata key of the record.
    pub const KEY: &'static str = "trained_on";

    pub(crate) fn new(
        config: &DataConfig,
        validation: ValidationSource,
        fingerprint: String,
    ) -> Self {
        Self { config: config.clone(), validation, fingerprint }
    }

    /// The record in the metadata of a weight file; `None` where the file has no record, as those of
    /// earlier versions and of other sources.
    ///
    /// # Errors
    ///
    /// [`TrainError::Record`] for a record that cannot be read.
    pub fn from_metadata(metadata: &BTreeMap<String, String>) -> Result<Option<Self>, TrainError> {
        let broken = |source| TrainError::Record { source: Box::new(source) };
        metadata.get(Self::KEY).map(|json| serde_json::from_str(json).map_err(broken)).transpose()
    }

    /// The record as a text of the metadata.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data has a JSON form")
    }

    /// Indices of the pictures of `dataset` that were trained on, and of those that were held back.
    /// A copy of another picture is in neither part. `dataset` has the pictures of the training split,
    /// and those of the validation split where the record names it as [`validation`](Self::validation).
    ///
    /// # Errors
    ///
    /// [`TrainError::OtherData`] where `dataset` is not the data set of the record, of which the
    /// split would be another; a picture that cannot be read.
    pub fn parts(
        &self,
        dataset: &dyn Dataset,
        decoder: &Decoder,
    ) -> Result<ValidationSplit, TrainError> {
        Ok(self.parted(dataset, decoder)?.split())
    }

    /// Whether each picture of `dataset`, or a copy of it, was trained on.
    ///
    /// A picture that the record's limit leaves out was not trained on; copies of training pictures
    /// are not looked for among these.
    ///
    /// # Errors
    ///
    /// Those of [`parts`](Self::parts).
    pub fn is_trained_on(
        &self,
        dataset: &dyn Dataset,
        decoder: &Decoder,
    ) -> Result<Vec<bool>, TrainError> {
        let parted = self.parted(dataset, decoder)?;
        let trained: HashSet<&str> =
            parted.train.iter().map(|&i| parted.hashes[i].as_str()).collect();
        let mut flags = vec![false; dataset.len()];
        for (&index, hash) in parted.indices.iter().zip(&parted.hashes) {
            flags[index] = trained.contains(hash.as_str());
        }
        Ok(flags)
    }

    pub(crate) fn parted(
        &self,
        dataset: &dyn Dataset,
        decoder: &Decoder,
    ) -> Result<Parted, TrainError> {
        let parted = Parted::new(dataset, &self.config, self.validation, decoder)?;
        let found = parted.fingerprint();
        match found == self.fingerprint {
            true => Ok(parted),
            false => Err(TrainError::OtherData { expected: self.fingerprint.clone(), found }),
        }
    }
}
