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

/// The pictures of a part of a data set, each drawn once for all detectors that share it.
pub(crate) struct Samples {
    /// How the data set calls its labels.
    pub(crate) data: DataArgs,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its part.
    pub(crate) part: Part,
    /// How many pictures are drawn of the part, half of them REAL; all where nothing is said.
    pub(crate) limit: Option<usize>,
    /// Seed of the draw.
    pub(crate) seed: u64,
    /// What was drawn, by the part and by the split of the weights.
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
        let is_of_training = |split: Option<Split>| split == Some(Split::Train);
        let samples = self.data.open(&self.path, None)?;
        let has_training = samples.samples().iter().any(|sample| is_of_training(sample.split));
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
        let (decoder, names) = (detector.decoder(), data.names()?);
        detector.threads().install(|| {
            let pictures = part.of(data, path, weights, decoder)?;
            let unique = match part {
                Part::Test => {
                    unique_samples(path, &names, &*pictures.dataset, Split::Test, decoder)?
                }
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
