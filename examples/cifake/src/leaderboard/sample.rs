//! The pictures that detectors are measured on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use cifake::weights::sha256_hex;
use cifake::{Dataset, Detector, Split};
use cifake_eval::unique_samples;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::Holdout;
use crate::args::DataArgs;
use crate::part::{Part, Pictures};

/// The [`fingerprint`] of the test pictures of CIFAKE: for all 20,000, and for the 2,000 that `--limit 2000`
/// draws of them by the usual seed.
pub(super) const PUBLISHED: [&str; 2] = [
    "1aa87ca2a5d93b072cf790362181291f0660a9d5839bf63099f49ce93f248642",
    "16129ebf36f1bd0f07866a7c01dd80475b582fe208563eb92489972cea4037c0",
];

/// The pictures of a part of a data set, each drawn once for all detectors that share it.
pub(crate) struct Samples {
    /// The names of the data set's labels.
    pub(crate) data: DataArgs,
    /// The path of the data set.
    pub(crate) path: PathBuf,
    /// Its part.
    pub(crate) part: Part,
    /// The number of pictures that are drawn of the part, half of them REAL; all where nothing is said.
    pub(crate) limit: Option<usize>,
    /// Seed of the draw.
    pub(crate) seed: u64,
    /// The pictures that were drawn, by the part and by the split of the weights.
    pub(crate) drawn: Vec<(Part, Option<Holdout>, Sample)>,
}

/// Some pictures of a data set.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(super) dataset: Arc<dyn Dataset>,
    /// In the data set.
    pub(super) indices: Vec<usize>,
    /// Indices of all pictures of the part that are no copies.
    pub(super) unique: Vec<usize>,
    /// SHA-256 over labels and contents of the pictures.
    pub(super) sha256: String,
}

impl Samples {
    /// The pictures for the detector of `weights`.
    ///
    /// # Errors
    ///
    /// As [`Part::of`].
    pub(super) fn of(&mut self, weights: &Path, detector: &Detector) -> Result<Sample> {
        self.part(self.part, weights, detector)
    }

    /// The pictures that the run of `weights` held back of the training pictures.
    ///
    /// # Errors
    ///
    /// As [`Part::of`]; a data set without a training set; where these are the pictures that are reported on.
    pub(super) fn held_back(&mut self, weights: &Path, detector: &Detector) -> Result<Sample> {
        ensure!(self.part == Part::Test, "the pictures themselves are of the training set");
        let has_training = self.data.listed(&self.path)?.has(Split::Train);
        ensure!(has_training, "the data set has no training pictures");
        self.part(Part::Validation, weights, detector)
    }

    fn part(&mut self, part: Part, weights: &Path, detector: &Detector) -> Result<Sample> {
        let holdout = if part == Part::Test { None } else { Some(Holdout::of(weights)?) };
        let is_it =
            |(of, split, _): &&(Part, Option<Holdout>, Sample)| (of, split) == (&part, &holdout);
        if let Some((_, _, sample)) = self.drawn.iter().find(is_it) {
            return Ok(sample.clone());
        }
        let sample = self.draw(part, weights, detector)?;
        self.drawn.push((part, holdout, sample.clone()));
        Ok(sample)
    }

    fn draw(&self, part: Part, weights: &Path, detector: &Detector) -> Result<Sample> {
        let Self { data, path, limit, seed, .. } = self;
        let (decoder, whole) = (detector.decoder(), data.listed(path)?);
        detector.threads().install(|| {
            let pictures = part.of_listed(&whole, weights, decoder)?;
            let unique = match part {
                Part::Test => unique_samples(&whole, &*pictures.dataset, Split::Test, decoder)?,
                // The split of a training set left the copies out.
                Part::Train | Part::Validation => pictures.indices.clone(),
            };
            let indices = match limit {
                Some(limit) => pictures.balanced(*limit, *seed),
                None => pictures.indices.clone(),
            };
            let Pictures { dataset, .. } = pictures;
            let sha256 = fingerprint(&*dataset, &indices);
            Ok(Sample { dataset: dataset.into(), indices, unique, sha256 })
        })
    }
}

/// SHA-256 over labels and contents of the pictures `indices` of `dataset`, as hexadecimal digits. A picture that
/// cannot be read counts by its name.
pub(super) fn fingerprint(dataset: &dyn Dataset, indices: &[usize]) -> String {
    let hash = |&index: &usize| {
        let sample = &dataset.samples()[index];
        let content = match dataset.bytes(index) {
            Ok(bytes) => sha256_hex(&bytes),
            Err(_) => sha256_hex(sample.id.as_bytes()),
        };
        format!("{} {content}\n", sample.label)
    };
    let lines: Vec<String> = indices.par_iter().map(hash).collect();
    sha256_hex(lines.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use cifake_training::TrainedOn;

    use super::*;
    use crate::args::{builder, mini, open};
    use crate::holdout::tests::{record_of_mini, weight_file};

    fn samples(path: PathBuf, part: Part) -> Samples {
        let data = DataArgs::at(&path);
        Samples { data, path, part, limit: None, seed: 0, drawn: Vec::new() }
    }

    #[test]
    fn the_held_back_pictures_are_those_of_the_weights_and_none_of_the_test() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let notes = [(TrainedOn::KEY.to_owned(), record_of_mini(0.5).to_json())].into();
        let weights = weight_file(folder.path().join("own.safetensors"), &notes);
        let detector = open(builder(), Path::new("native")).expect("shipped");
        let mut samples = samples(mini(), Part::Test);
        let test = samples.of(&weights, &detector).expect("the mini set is there");
        let held_back = samples.held_back(&weights, &detector).expect("it has a record");
        assert_eq!((test.indices.len(), test.unique.len()), (32, 31));
        assert!((24..=32).contains(&held_back.indices.len()), "{:?}", held_back.indices);
        assert_ne!(test.sha256, held_back.sha256);
        let ids = |sample: &Sample| -> HashSet<String> {
            sample.indices.iter().map(|&i| sample.dataset.samples()[i].id.clone()).collect()
        };
        assert!(ids(&test).is_disjoint(&ids(&held_back)));
        // Drawn once.
        samples.held_back(&weights, &detector).expect("as before");
        assert_eq!(samples.drawn.len(), 2);
        let bare = weight_file(folder.path().join("bare.safetensors"), &[].into());
        assert!(samples.held_back(&bare, &detector).is_err(), "nobody knows what it held back");
        assert_eq!(samples.of(&bare, &detector).expect("test pictures").sha256, test.sha256);
    }

    #[test]
    fn a_threshold_is_never_chosen_on_the_pictures_that_are_reported_on() {
        let detector = open(builder(), Path::new("native")).expect("shipped");
        let weights = Path::new("native");
        let folder = mini().join("test");
        let mut unsplit = samples(folder, Part::Test);
        assert!(unsplit.of(weights, &detector).is_ok());
        assert!(unsplit.held_back(weights, &detector).is_err());
        assert!(samples(mini(), Part::Validation).held_back(weights, &detector).is_err());
    }

    #[test]
    fn a_limit_draws_both_labels_and_changes_the_hash() {
        let detector = open(builder(), Path::new("native")).expect("shipped");
        let mut all = samples(mini(), Part::Test);
        let mut few = Samples { limit: Some(6), ..samples(mini(), Part::Test) };
        let [all, few] = [&mut all, &mut few]
            .map(|samples| samples.of(Path::new("native"), &detector).expect("the mini set"));
        assert_eq!(few.indices.len(), 6);
        assert_ne!(few.sha256, all.sha256);
        assert_eq!(few.sha256, fingerprint(&*all.dataset, &few.indices));
    }

    #[test]
    fn the_pictures_of_cifake_are_known_by_their_fingerprints() {
        let Some(shared) = std::env::var_os("CIFAKE_SHARED") else {
            eprintln!("skipped: CIFAKE_SHARED is not set");
            return;
        };
        let path = Path::new(&shared).join("datasets/cifake");
        let dataset = cifake::open_dataset(&path, Some(Split::Test)).expect("the zips are there");
        let pictures = Pictures::all(dataset);
        let few = pictures.balanced(2000, 0);
        let found =
            [&pictures.indices, &few].map(|indices| fingerprint(&*pictures.dataset, indices));
        assert_eq!(found, PUBLISHED);
    }
}
