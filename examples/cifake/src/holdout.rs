//! The validation pictures of weights, which they were not trained on.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use cifake::weights::{Checkpoint, Source};
use cifake::{Dataset, Decoder, ReadableDataset, ValidationSplit};
use cifake_training::{DataConfig, TrainedOn, TrainingData, ValidationSource};

use crate::args::registry;

/// Share of the training pictures that the recipes of the shipped weights hold back.
const SHIPPED: f64 = 0.04;

/// Folders of this repository with weights of those recipes.
const FOLDERS: [&str; 3] =
    ["crates/tinyvit/weights", "crates/baselines/weights", "examples/lab/weights"];

/// The split of the training pictures of weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Holdout {
    /// As configured, on any data set.
    Configured(DataConfig),
    /// As the weight file records, on the data set of the record and on no other.
    Recorded(TrainedOn),
}

impl Holdout {
    /// The split of `weights`, a name or a file: the known one of shipped weights, else the record in
    /// the file.
    ///
    /// # Errors
    ///
    /// If the file has no record, since its validation pictures would be training pictures; if it cannot
    /// be read.
    pub fn of(weights: &Path) -> Result<Self> {
        let registry = registry();
        let file = match registry.source(weights)? {
            Source::File(file) if !is_shipped(file) => file,
            _ => return Ok(Self::Configured(shipped())),
        };
        let checkpoint = Checkpoint::open(Source::File(file))?;
        match TrainedOn::from_metadata(&checkpoint.info().metadata)? {
            Some(record) => Ok(Self::Recorded(record)),
            None => bail!(
                "{} does not record its training pictures: held-back pictures cannot be told from them; \
                 name the recipe (`calibrate --config`) or use test pictures (`evaluate --split test`)",
                weights.display()
            ),
        }
    }

    /// The one split that all of `weights` share.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of); if there are no weights, or two of them hold back different pictures.
    pub fn of_all<P: AsRef<Path>>(weights: &[P]) -> Result<Self> {
        let splits = weights.iter().map(|path| Self::of(path.as_ref()));
        let splits = splits.collect::<Result<Vec<_>>>()?;
        let is_recorded = |split: &&Self| matches!(split, Self::Recorded(_));
        // A record names its data set, so that it says more than a configuration.
        let Some(chosen) = splits.iter().find(is_recorded).or_else(|| splits.first()) else {
            bail!("there are no weights");
        };
        // A configuration tells nothing of a validation split.
        let holds_back = !matches!(chosen, Self::Recorded(record)
            if record.validation != ValidationSource::HeldBack);
        let agrees = |split: &Self| {
            let is_configured = holds_back && !is_recorded(&split);
            split == chosen || (is_configured && split.config() == chosen.config())
        };
        ensure!(
            splits.iter().all(agrees),
            "the weights were trained on different pictures: none of them is held back by all"
        );
        Ok(chosen.clone())
    }

    /// Size, limit and split of the pictures.
    #[must_use]
    pub fn config(&self) -> &DataConfig {
        match self {
            Self::Configured(config) => config,
            Self::Recorded(record) => &record.config,
        }
    }

    /// The pictures of `dataset` without those that a run leaves out because they cannot be read, and how
    /// the run split them. `dataset` is what [`SplitDataset::training`](cifake::SplitDataset::training) gives.
    ///
    /// # Errors
    ///
    /// A picture that cannot be read; another data set than that of the record.
    pub fn parts(
        &self,
        dataset: Box<dyn Dataset>,
        decoder: &Decoder,
    ) -> Result<(Box<dyn Dataset>, ValidationSplit)> {
        match self {
            Self::Configured(config) => {
                let parts = TrainingData::parts(&*dataset, config, decoder)?;
                Ok((dataset, parts))
            }
            Self::Recorded(record) => {
                let readable = ReadableDataset::new(dataset, decoder)?;
                let parts = record.parts(&readable, decoder)?;
                Ok((Box::new(readable), parts))
            }
        }
    }

    /// The pictures of `dataset` in memory, split as [`parts`](Self::parts) does.
    ///
    /// # Errors
    ///
    /// As [`parts`](Self::parts); a part without pictures of both labels.
    pub fn load(&self, dataset: Box<dyn Dataset>, decoder: &Decoder) -> Result<TrainingData> {
        match self {
            Self::Configured(config) => Ok(TrainingData::load(&*dataset, &[], config, decoder)?),
            Self::Recorded(record) => {
                let readable = ReadableDataset::new(dataset, decoder)?;
                Ok(TrainingData::load_recorded(&readable, record, decoder)?)
            }
        }
    }
}

/// The split of the recipes of the shipped weights.
fn shipped() -> DataConfig {
    DataConfig::default().with_validation_fraction(SHIPPED)
}

/// Whether `file` is one of this repository's weight files.
fn is_shipped(file: &Path) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = file.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    folder.is_some_and(|folder| {
        FOLDERS.iter().any(|known| root.join(known).canonicalize().is_ok_and(|path| path == folder))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use cifake::{Split, open_dataset};

    use super::*;
    use crate::args::mini;

    /// A weight file of one tensor with `notes` for metadata.
    pub(crate) fn weight_file(path: PathBuf, notes: &BTreeMap<String, String>) -> PathBuf {
        let tensor = serde_json::json!({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]});
        let mut header = serde_json::json!({"__metadata__": notes, "a": tensor}).to_string();
        header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
        let length = (header.len() as u64).to_le_bytes();
        let bytes = [&length, header.as_bytes(), &1f32.to_le_bytes()].concat();
        std::fs::write(&path, bytes).expect("the folder is writable");
        path
    }

    fn training_set(path: &Path) -> Box<dyn Dataset> {
        open_dataset(path, Some(Split::Train)).expect("the mini set is there")
    }

    /// The record of a run on the mini set that held `validation_fraction` back.
    pub(crate) fn record_of_mini(validation_fraction: f64) -> TrainedOn {
        let config = DataConfig::default().with_validation_fraction(validation_fraction);
        let dataset = training_set(&mini());
        let data = TrainingData::load(&*dataset, &[], &config, &Decoder::default());
        data.expect("the mini set has both labels").record
    }

    #[test]
    fn weights_with_a_record_hold_back_what_it_says() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let record = record_of_mini(0.25);
        let notes = [(TrainedOn::KEY.to_owned(), record.to_json())].into();
        let weights = weight_file(folder.path().join("own.safetensors"), &notes);
        let held_back = Holdout::of(&weights).expect("it has a record");
        assert_eq!(held_back, Holdout::Recorded(record.clone()));
        let decoder = Decoder::default();
        let (dataset, parts) = held_back.parts(training_set(&mini()), &decoder).expect("its data");
        let expected = TrainingData::parts(&*dataset, &record.config, &decoder).expect("its data");
        assert_eq!(parts, expected);
        // The test pictures are another data set.
        let other = open_dataset(&mini(), Some(Split::Test)).expect("the mini set is there");
        assert!(held_back.parts(other, &decoder).is_err());
        let other = open_dataset(&mini(), Some(Split::Test)).expect("the mini set is there");
        assert!(held_back.load(other, &decoder).is_err());
        let data = held_back.load(training_set(&mini()), &decoder).expect("its data");
        assert_eq!(data.validation.len(), parts.validation.len());
    }

    #[test]
    fn weights_with_a_validation_split_share_no_split_with_a_configuration() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut record = record_of_mini(SHIPPED);
        let mut file = |name: &str, validation| {
            record.validation = validation;
            let notes = [(TrainedOn::KEY.to_owned(), record.to_json())].into();
            weight_file(folder.path().join(name), &notes)
        };
        let held_back = file("a.safetensors", ValidationSource::HeldBack);
        let own = file("b.safetensors", ValidationSource::OwnSplit);
        let native = Path::new("native");
        assert!(Holdout::of_all(&[held_back.as_path(), native]).is_ok());
        assert!(Holdout::of_all(&[own.as_path(), native]).is_err());
        assert!(Holdout::of_all(&[own, held_back]).is_err());
    }

    #[test]
    fn weights_without_a_record_are_refused_unless_they_are_shipped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let weights = weight_file(folder.path().join("own.safetensors"), &BTreeMap::new());
        let error = Holdout::of(&weights).expect_err("it has no record").to_string();
        assert!(error.contains("evaluate --split test"), "{error}");
        let file = mini().join("../../crates/tinyvit/weights/native.safetensors");
        for known in [Path::new("native"), Path::new("robust"), Path::new("static-robust"), &file] {
            let split = Holdout::of(known).expect("they are shipped");
            assert_eq!(split, Holdout::Configured(shipped()));
        }
    }

    #[test]
    fn weights_that_hold_back_different_pictures_share_no_split() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, fraction: f64| {
            let notes = [(TrainedOn::KEY.to_owned(), record_of_mini(fraction).to_json())].into();
            weight_file(folder.path().join(name), &notes)
        };
        let [a, b, c] = [("a", 0.25), ("b", 0.25), ("c", 0.5)]
            .map(|(name, of)| file(&format!("{name}.safetensors"), of));
        let shared = Holdout::of_all(&[&a, &b]).expect("both are of one split");
        assert_eq!(shared, Holdout::Recorded(record_of_mini(0.25)));
        assert!(Holdout::of_all(&[&a, &c]).is_err());
        assert!(Holdout::of_all(&[a.as_path(), Path::new("native")]).is_err());
        assert!(Holdout::of_all(&["native", "adversarial"]).is_ok());
        assert!(Holdout::of_all::<&Path>(&[]).is_err());
    }
}
