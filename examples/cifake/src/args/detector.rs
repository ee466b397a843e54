//! Which detector, and where it computes.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use cifake::{Detector, DetectorBuilder, MAX_THREADS, Registry};

/// Which detector judges, and where it computes.
#[derive(Debug, Clone, clap::Args)]
pub struct DetectorArgs {
    /// native, adversarial (trained against attacks), resnet18_32, or a weight file of a network of those kinds.
    #[arg(long, value_name = "NAME|FILE", default_value = "native")]
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
        let mut builder = Detector::builder().device(&device).threads(self.threads)?;
        if let Some(threshold) = self.threshold {
            builder = builder.threshold(threshold);
        }
        Ok((open(builder, &self.weights)?, device))
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

/// The detectors of all programs: the only list of the networks that they read.
#[must_use]
pub fn registry() -> Registry {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/weights");
    Registry::new()
        .with(tinyvit::loader())
        .with(baselines::resnet_loader())
        .with_file("static-robust", weights.join("static_robust.safetensors"))
}

/// The detector that `builder` makes of `weights`: the name of shipped ones or a weight file.
///
/// # Errors
///
/// As [`DetectorBuilder::open`].
pub fn open(builder: DetectorBuilder, weights: &Path) -> Result<Detector, cifake::Error> {
    builder.open(&registry(), weights)
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
        let error = open(Detector::builder(), Path::new("nope")).expect_err("it is not there");
        let error = error.to_string();
        let named = ["nope", "native", "static-robust"];
        assert!(named.iter().all(|name| error.contains(name)), "{error}");
    }
}
