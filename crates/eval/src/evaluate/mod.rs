//! Any detector over any data set.
//!
//! ```no_run
//! use burn::tensor::{Device, Tensor};
//! use cifake::{FnScorer, Split, open_dataset};
//! use cifake_eval::{EvaluateOptions, evaluate};
//!
//! // A detector of the simplest kind: dark pictures are FAKE.
//! let scorer = FnScorer(|images: Tensor<4>| {
//!     let [batch, channels, height, width] = images.dims();
//!     1.0 - images.reshape([batch, channels * height * width]).mean_dim(1).reshape([batch])
//! });
//! let dataset = open_dataset("datasets/cifake".as_ref(), Some(Split::Test))?;
//! let options = EvaluateOptions::new((32, 32), &Device::flex());
//! let report = evaluate(&scorer, &*dataset, &options, &mut |_, _| {})?;
//! assert!(report.all.accuracy.value >= 0.0);
//! report.write_csv("scores.csv".as_ref())?;
//! # Ok::<(), cifake::Error>(())
//! ```

mod breakdown;
mod report;

use std::collections::{BTreeMap, HashSet};

use burn::tensor::Device;

pub use breakdown::{Answered, Breakdown, GroupRow};
pub use report::{FailedSample, Report, ScoredSample};

use cifake::{
    Batch, Batches, Class, Dataset, Decoder, Error, Label, Scorer, Threads, is_near_grey,
};

use crate::metrics::{Bootstrap, Measures};

/// The settings of [`evaluate`].
#[derive(Debug, Clone)]
pub struct EvaluateOptions {
    /// Width and height to which every picture is brought.
    pub size: (u32, u32),
    /// The device of the pictures' tensors.
    pub device: Device,
    /// Score from which a picture is called FAKE; 0.5.
    pub threshold: f64,
    /// The bootstrap of the intervals; 1,000 resamples, 95 %, seed 0.
    pub bootstrap: Bootstrap,
    /// The number of pictures that are scored at once; 64.
    pub batch_size: usize,
    /// Threads that decode and compute; `None` starts one a core. A detector gives its own.
    pub threads: Option<Threads>,
    /// The decoder of the pictures.
    pub decoder: Decoder,
    /// Indices of the samples that are evaluated, all if `None`.
    pub indices: Option<Vec<usize>>,
    /// Indices of the samples that stay once duplicates are left out, in any order; with them the
    /// report has a second column.
    pub unique: Option<Vec<usize>>,
}

impl EvaluateOptions {
    /// The defaults for a detector of pictures of `size` (width, height).
    #[must_use]
    pub fn new(size: (u32, u32), device: &Device) -> Self {
        Self {
            size,
            device: device.clone(),
            threshold: 0.5,
            bootstrap: Bootstrap::new(0),
            batch_size: 64,
            threads: None,
            decoder: Decoder::default(),
            indices: None,
            unique: None,
        }
    }

    /// The same in these threads.
    #[must_use]
    pub fn with_threads(self, threads: &Threads) -> Self {
        Self { threads: Some(threads.clone()), ..self }
    }

    /// The threads to work in: those that were given, else one a core.
    ///
    /// # Errors
    /// As [`Threads::new`].
    pub fn threads(&self) -> Result<Threads, Error> {
        self.threads.clone().map_or_else(|| Threads::new(0), Ok)
    }

    /// The same with another threshold.
    #[must_use]
    pub fn with_threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// The same with another seed of the bootstrap.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.bootstrap.seed = seed;
        self
    }

    /// The same over the samples `indices` alone.
    #[must_use]
    pub fn with_indices(self, indices: Vec<usize>) -> Self {
        Self { indices: Some(indices), ..self }
    }

    /// The same with a second column over those of the samples that are in `unique`.
    #[must_use]
    pub fn with_unique(self, unique: Vec<usize>) -> Self {
        Self { unique: Some(unique), ..self }
    }
}

/// Scores the pictures of `dataset` and measures the scores.
///
/// Pictures are decoded ahead of the scorer, in threads of their own; `progress` is told after each
/// batch how many pictures are done, and of how many. A picture that cannot be decoded is counted and
/// named in the report; the others are still scored.
///
/// # Errors
/// [`Error::NoSamples`] where there is nothing to score; the first picture's error where not one can
/// be decoded; [`Error::ScoreNotFinite`]; [`Error::Threads`].
///
/// # Panics
/// If an index is not in the data set, the batch size or a side is 0, or the scorer answers with
/// another number of scores than it was given pictures.
pub fn evaluate(
    scorer: &dyn Scorer,
    dataset: &dyn Dataset,
    options: &EvaluateOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Report, Error> {
    let indices = options.indices.clone().unwrap_or_else(|| (0..dataset.len()).collect());
    if indices.is_empty() {
        return Err(Error::NoSamples);
    }
    let threads = options.threads()?;
    let (total, mut samples, mut failed) = (indices.len(), Vec::new(), Vec::new());
    let batches =
        Batches::new(dataset, indices, options.batch_size, options.size, &options.decoder);
    batches.for_each_ahead(&threads, |mut batch| {
        failed.append(&mut batch.failed);
        samples.extend(score(scorer, dataset, &batch, &options.device, &threads)?);
        progress(samples.len() + failed.len(), total);
        Ok::<_, Error>(())
    })?;
    if samples.is_empty() {
        let first = failed.into_iter().next().expect("every sample was scored or failed");
        return Err(first.1);
    }
    let name = |(index, error): (usize, Error)| FailedSample {
        id: dataset.samples()[index].id.clone(),
        error: error.to_string(),
    };
    summarize(samples, failed.into_iter().map(name).collect(), options)
}

/// The scores of one batch.
fn score(
    scorer: &dyn Scorer,
    dataset: &dyn Dataset,
    batch: &Batch,
    device: &Device,
    threads: &Threads,
) -> Result<Vec<ScoredSample>, Error> {
    let Some(images) = batch.images(device) else {
        return Ok(Vec::new());
    };
    let scores = threads.install(|| scorer.scores(images).into_data_as::<f32>());
    let scores = scores.as_slice::<f32>().expect("the scores were converted to f32");
    assert_eq!(scores.len(), batch.indices.len(), "a scorer answers with one score a picture");
    let mut samples = Vec::with_capacity(scores.len());
    for ((index, fitted), score) in batch.indices.iter().zip(&batch.pictures).zip(scores) {
        if !score.is_finite() {
            return Err(Error::ScoreNotFinite { index: *index, score: *score });
        }
        let sample = &dataset.samples()[*index];
        samples.push(ScoredSample {
            index: *index,
            id: sample.id.clone(),
            label: sample.label,
            class: sample.class,
            near_grey: is_near_grey(fitted.picture.pixels()),
            score: *score,
        });
    }
    Ok(samples)
}

/// Measures all samples and each of the subsets.
fn summarize(
    samples: Vec<ScoredSample>,
    failed: Vec<FailedSample>,
    options: &EvaluateOptions,
) -> Result<Report, Error> {
    let measure = |keep: &dyn Fn(&ScoredSample) -> bool| -> Result<Option<Measures>, Error> {
        let kept = samples.iter().filter(|sample| keep(sample));
        let (scores, labels): (Vec<f32>, Vec<Label>) =
            kept.map(|sample| (sample.score, sample.label)).unzip();
        match options.bootstrap.measure(&scores, &labels, options.threshold) {
            Err(Error::NoSamples) => Ok(None),
            measured => measured.map(Some),
        }
    };
    let unique: Option<HashSet<usize>> =
        options.unique.as_ref().map(|unique| unique.iter().copied().collect());
    let dedup = match &unique {
        Some(unique) => measure(&|sample| unique.contains(&sample.index))?,
        None => None,
    };
    let mut classes = BTreeMap::new();
    for class in Class::ALL {
        if let Some(measures) = measure(&|sample| sample.class == Some(class))? {
            classes.insert(class, measures);
        }
    }
    Ok(Report {
        all: measure(&|_| true)?.ok_or(Error::NoSamples)?,
        n_failed: failed.len(),
        threshold: options.threshold,
        seed: options.bootstrap.seed,
        n_resamples: options.bootstrap.n_resamples,
        dedup,
        near_grey: measure(&|sample| sample.near_grey)?,
        other: measure(&|sample| !sample.near_grey)?,
        classes,
        failed,
        samples,
    })
}

#[cfg(test)]
mod tests;
