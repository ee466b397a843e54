//! The detector of a command, and its device.

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use cifake::{DecodeLimits, Decoder, Detector, DetectorBuilder, MAX_THREADS, Registry};

/// The detector that judges, and its device.
#[derive(Debug, Clone, clap::Args)]
pub struct DetectorArgs {
    /// native, adversarial (trained against attacks), static-robust, resnet18_32, or a weight file of `cifake train` or
    /// `cifake import`.
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
    /// Largest picture that is read, in pixels: width times height.
    #[arg(
        long,
        value_name = "N",
        default_value_t = DecodeLimits::for_own_files().max_pixels,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    max_pixels: u64,
}

impl DetectorArgs {
    /// The detector and the device it computes on.
    ///
    /// # Errors
    ///
    /// If the weights cannot be read, or the device or the threads cannot be had.
    pub fn detector(&self) -> Result<(Detector, Device)> {
        let device = cifake::device::parse(&self.device)?;
        let limits = DecodeLimits::default().with_max_pixels(self.max_pixels);
        let mut builder = Detector::builder().device(&device).threads(self.threads)?.limits(limits);
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

    /// Largest picture that is read, in pixels.
    #[must_use]
    pub fn max_pixels(&self) -> u64 {
        self.max_pixels
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
        .with(baselines::aeroblade_loader())
        .with(baselines::rigid_loader())
        .with(baselines::clip_loader())
        .with(baselines::vit_loader())
        .with(baselines::fft_vae_loader())
        .with(baselines::dire::dire_loader())
        .with_file("static-robust", weights.join("static_robust.safetensors"))
}

/// A decoder for a user's own files.
#[must_use]
pub fn decoder() -> Decoder {
    Decoder::new(DecodeLimits::for_own_files())
}

/// A builder of detectors that read a user's own files.
#[must_use]
pub fn builder() -> DetectorBuilder {
    Detector::builder().limits(DecodeLimits::for_own_files())
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
    use clap::Parser;

    use super::*;

    #[test]
    fn more_threads_than_any_machine_has_are_refused() {
        assert_eq!(threads("8"), Ok(8));
        assert!(["99999999", "-1", "many"].iter().all(|text| threads(text).is_err()));
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        detector: DetectorArgs,
    }

    #[test]
    fn the_largest_picture_is_that_of_own_files_or_as_given() {
        let limit = |arguments: &[&str]| {
            let line = Line::try_parse_from([&["program"], arguments].concat())?;
            let (detector, _) = line.detector.detector().expect("the weights are shipped");
            Ok::<_, clap::Error>(detector.decoder().limits())
        };
        assert_eq!(limit(&[]).expect("a default"), DecodeLimits::for_own_files());
        let larger = limit(&["--max-pixels", "400000000"]).expect("a number");
        assert_eq!(larger, DecodeLimits::for_own_files().with_max_pixels(400_000_000));
        assert_eq!(limit(&["--max-pixels", "9"]).expect("a number").max_pixels, 9);
        assert!(limit(&["--max-pixels", "0"]).is_err());
        assert_eq!(
            builder().open(&registry(), "native").expect("shipped").decoder().limits(),
            decoder().limits()
        );
    }

    #[test]
    fn weights_that_are_not_there_list_those_that_are() {
        let error = open(Detector::builder(), Path::new("nope")).expect_err("it is not there");
        let error = error.to_string();
        let named = ["nope", "native", "static-robust"];
        assert!(named.iter().all(|name| error.contains(name)), "{error}");
    }
}
