//! Which detector, and where it computes.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use burn::tensor::Device;
use tinyvit::Detector;

/// Most threads that a command takes.
const MAX_THREADS: usize = 512;

/// Names of weights that need no path.
const NAMES: &str = "clean, robust and static-robust";
/// Most weight files that an error names.
const MAX_NAMED: usize = 8;

/// Which detector judges, and where it computes.
#[derive(Debug, Clone, clap::Args)]
pub struct DetectorArgs {
    /// clean, robust or static-robust (both trained against attacks), or a weight file.
    #[arg(long, value_name = "NAME|FILE", default_value = "clean")]
    weights: PathBuf,
    /// Call a picture FAKE from this probability on [default: the weight file's].
    #[arg(long, value_name = "P")]
    threshold: Option<f32>,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Threads to decode and compute in; 0 takes all cores.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    threads: usize,
}

impl DetectorArgs {
    /// The detector and the device it computes on.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read, or the device or the threads cannot be had.
    pub fn detector(&self) -> Result<(Detector, Device)> {
        let device = cifake::device::parse(&self.device)?;
        let detector = open_detector(&self.weights)?.with_threads(self.threads)?.on(&device);
        let detector = match self.threshold {
            Some(threshold) => detector.with_threshold(threshold)?,
            None => detector,
        };
        Ok((detector, device))
    }

    /// The name or file of the weights.
    #[must_use]
    pub fn weights(&self) -> &Path {
        &self.weights
    }

    /// Threads to decode and compute in; 0 takes all cores.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }
}

/// The detector of `weights`: `clean` and `robust` are built in, `static-robust` is a file of this
/// repository, anything else is a weight file.
///
/// # Errors
///
/// If there is no such file, or it is no weight file of a detector.
pub fn open_detector(weights: &Path) -> Result<Detector> {
    let static_robust =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../lab/weights/static_robust.safetensors");
    match weights.to_str() {
        Some("clean" | "robust") => Ok(Detector::named(weights)?),
        Some("static-robust") => Ok(Detector::from_file(static_robust)?),
        _ if weights.exists() => Ok(Detector::from_file(weights)?),
        _ => bail!(
            "there are no weights {}; known are {NAMES}, and weight files{}",
            weights.display(),
            neighbours(weights)
        ),
    }
}

/// The weight files in the folder that `weights` should lie in, for a message.
fn neighbours(weights: &Path) -> String {
    let folder = match weights.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let is_weights = |path: &PathBuf| path.extension().is_some_and(|e| e == "safetensors");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_weights).collect();
    found.sort();
    let names: Vec<String> =
        found.iter().take(MAX_NAMED).map(|path| path.display().to_string()).collect();
    if names.is_empty() { String::new() } else { format!(" such as {}", names.join(", ")) }
}

/// A number of threads, for the arguments of a program.
///
/// # Errors
///
/// If it is no number, or more than any machine has.
pub fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|&threads| threads <= MAX_THREADS);
    threads.ok_or_else(|| format!("a number from 0 to {MAX_THREADS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_than_any_machine_has_are_refused() {
        assert_eq!(threads("8"), Ok(8));
        assert!(["99999999", "-1", "many"].iter().all(|text| threads(text).is_err()));
    }

    #[test]
    fn weights_that_are_not_there_list_those_that_are() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.safetensors", "a.safetensors", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").expect("it is writable");
        }
        let error = open_detector(&folder.path().join("nope")).expect_err("it is not there");
        let error = error.to_string();
        assert!(error.contains("nope") && error.contains("static-robust"), "{error}");
        assert!(error.find("a.safetensors") < error.find("b.safetensors"), "{error}");
        assert!(!error.contains("notes"), "{error}");
    }
}
