//! Accuracy on a built set, a row for each attack and generator.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use cifake::text::percent;
use cifake::{Classifier, Dataset, LabelOrder, ParquetDataset};
use cifake_eval::metrics::Metric;
use serde::Serialize;

use super::manifest::{BuildManifest, BuiltFile, Origin, sha256_of};
use crate::Error;
use crate::kit::is_correct;
use crate::run::RunOptions;

/// Accuracy of a model on a built set.
#[derive(Debug, Clone, Serialize)]
pub struct BuiltReport {
    /// `perturbed CIFAKE` or `CIFAKE++`.
    pub set: String,
    /// Name of the model whose gradients and answers the attacks used.
    pub surrogate: String,
    /// A row for each attack, then a row for each generator.
    pub rows: Vec<BuiltRow>,
    /// Mean over the rows of attacks; absent without any. Each resample of the interval draws pictures
    /// with all their attacked copies.
    pub mean: Option<Metric>,
}

/// Accuracy on the pictures of one origin.
#[derive(Debug, Clone, Serialize)]
pub struct BuiltRow {
    /// The attack or the generator.
    pub origin: Origin,
    /// Number of pictures.
    pub n: usize,
    /// Share of correct answers.
    pub accuracy: Metric,
}

/// Measures the accuracy of `model` on the finished set in `folder`.
///
/// `options.indices`, `options.seed` and `options.folder` are not used. `progress(done, total)` counts
/// pictures.
///
/// # Errors
///
/// A missing or unfinished set; [`Error::Built`] where files and manifest differ.
pub fn evaluate_built(
    model: &dyn Classifier,
    folder: &Path,
    options: &RunOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<BuiltReport, Error> {
    let manifest = BuildManifest::read(folder)?;
    let total = manifest.files.iter().map(|file| file.n).sum();
    let mut done = 0;
    let mut parts: Vec<(Origin, Vec<bool>)> = Vec::new();
    for file in &manifest.files {
        let dataset = open(folder, file)?;
        let indices: Vec<usize> = (0..file.n).collect();
        let mut right = Vec::new();
        for batch in indices.chunks(options.batch_size) {
            let samples = options.load(&dataset, batch)?;
            right.extend(is_correct(model, &samples.images, &samples.labels));
            progress(done + right.len(), total);
        }
        done += file.n;
        match parts.iter_mut().find(|(origin, _)| *origin == file.origin) {
            Some((_, all)) => all.extend(right),
            None => parts.push((file.origin.clone(), right)),
        }
    }
    let share = |right: &[bool], counts: &[u32]| {
        let hits = right.iter().zip(counts).filter(|(right, _)| **right);
        let all: u32 = counts.iter().sum();
        f64::from(hits.map(|(_, count)| count).sum::<u32>()) / f64::from(all.max(1))
    };
    let metric = |n: usize, statistic: &(dyn Fn(&[u32]) -> f64 + Sync)| {
        let value = statistic(&vec![1; n]);
        let [interval] = options.bootstrap.intervals(n, |counts| [statistic(counts)]);
        let (low, high) = interval.unwrap_or((value, value));
        Metric { value, low, high }
    };
    let broken = |reason| Error::Built { path: folder.to_owned(), reason };
    let is_attack = |(origin, _): &&(Origin, _)| matches!(origin, Origin::Attack(_));
    let attacks: Vec<&[bool]> =
        parts.iter().filter(is_attack).map(|(_, right)| right.as_slice()).collect();
    if parts.is_empty() || attacks.iter().any(|right| right.len() != manifest.n_samples) {
        return Err(broken("the attacks do not have the number of pictures in the manifest"));
    }
    let of_all = |counts: &[u32]| {
        attacks.iter().map(|right| share(right, counts)).sum::<f64>() / attacks.len() as f64
    };
    let mean = (!attacks.is_empty()).then(|| metric(manifest.n_samples, &of_all));
    let row = |(origin, right): &(Origin, Vec<bool>)| BuiltRow {
        origin: origin.clone(),
        n: right.len(),
        accuracy: metric(right.len(), &|counts| share(right, counts)),
    };
    let rows = parts.iter().map(row).collect();
    let (set, surrogate) = (manifest.set, manifest.surrogate);
    Ok(BuiltReport { set, surrogate, rows, mean })
}

/// The pictures of a file whose bytes are those of the build.
fn open(folder: &Path, file: &BuiltFile) -> Result<ParquetDataset, Error> {
    let path = folder.join(&file.name);
    let broken = |reason| Err(Error::Built { path: path.clone(), reason });
    if Path::new(&file.name).file_name() != Some(OsStr::new(&file.name)) {
        return broken("the name in the manifest leaves the folder");
    }
    if sha256_of(&path)? != file.sha256 {
        return broken("the bytes differ from the hash in the manifest");
    }
    let dataset = ParquetDataset::open(
        std::slice::from_ref(&path),
        None,
        LabelOrder::Named(Default::default()),
    )?;
    if file.n == 0 || dataset.len() != file.n {
        return broken("the number of pictures differs from the manifest");
    }
    Ok(dataset)
}

impl fmt::Display for BuiltReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |metric: &Metric| {
            let [value, low, high] = [metric.value, metric.low, metric.high].map(percent);
            format!("{value} [{low}, {high}]")
        };
        writeln!(f, "{}, made with {}", self.set, self.surrogate)?;
        writeln!(f, "{:<26} {:>6} {:>22}", "pictures of", "n", "accuracy")?;
        for row in &self.rows {
            writeln!(f, "{:<26} {:>6} {:>22}", row.origin.name(), row.n, show(&row.accuracy))?;
        }
        let mean = self.mean.as_ref().map_or_else(|| "-".to_owned(), show);
        write!(f, "{:<26} {:>6} {mean:>22}", "mean of the attacks", "")
    }
}
