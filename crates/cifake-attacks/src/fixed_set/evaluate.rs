//! Accuracy on a built set, a row an attack or generator.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use cifake::metrics::Metric;
use cifake::{Classifier, Dataset, LabelOrder, ParquetDataset};
use serde::Serialize;

use super::manifest::{BuildManifest, BuiltFile, Origin, sha256_of};
use crate::run::RunOptions;
use crate::{Error, calls_right};

/// What a model makes of a built set.
#[derive(Debug, Clone, Serialize)]
pub struct BuiltReport {
    /// `perturbed CIFAKE` or `CIFAKE++`.
    pub set: String,
    /// The model that the attacks followed.
    pub surrogate: String,
    /// A row an attack, then a row a generator.
    pub rows: Vec<BuiltRow>,
    /// Mean over the attacks' rows; each resample of the interval draws pictures with all their
    /// attacked copies. Absent without attacks.
    pub mean: Option<Metric>,
}

/// Accuracy on the pictures of one origin.
#[derive(Debug, Clone, Serialize)]
pub struct BuiltRow {
    /// Where they come from.
    pub origin: Origin,
    /// How many there are.
    pub n: usize,
    /// Share that is called what it is.
    pub accuracy: Metric,
}

/// Classifies the pictures of the set in `folder`, a whole build.
///
/// Of `options`, the indices, the seed and the folder are not used. `progress(done, total)` counts
/// pictures.
///
/// # Errors
///
/// A set that is missing, or not built to its end; [`Error::Built`] where files and manifest differ.
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
            right.extend(calls_right(model, &samples.images, &samples.labels));
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
        return Err(broken("its attacks have not as many pictures as its manifest says"));
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

/// The pictures of a file, as its build wrote them.
fn open(folder: &Path, file: &BuiltFile) -> Result<ParquetDataset, Error> {
    let path = folder.join(&file.name);
    let broken = |reason| Err(Error::Built { path: path.clone(), reason });
    if Path::new(&file.name).file_name() != Some(OsStr::new(&file.name)) {
        return broken("its name leads elsewhere");
    }
    if sha256_of(&path)? != file.sha256 {
        return broken("its bytes are not those that were built");
    }
    let dataset = ParquetDataset::open(
        std::slice::from_ref(&path),
        None,
        LabelOrder::Named(Default::default()),
    )?;
    if file.n == 0 || dataset.len() != file.n {
        return broken("it has not as many pictures as its manifest says");
    }
    Ok(dataset)
}

impl fmt::Display for BuiltReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |metric: &Metric| {
            let [value, low, high] = [metric.value, metric.low, metric.high].map(|x| 100.0 * x);
            format!("{value:.2} [{low:.2}, {high:.2}]")
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
