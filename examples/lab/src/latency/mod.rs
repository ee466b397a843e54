//! The time that the network takes.

mod detectors;
mod inference;
mod training;

use std::path::PathBuf;

use cifake_cli::peak_resident;
use serde::Serialize;
use tinyvit::TinyVitConfig;

pub use detectors::{is_detector, measure_detector};
pub use inference::measure;
pub use training::measure_training;

/// Runs before the timed ones: caches and buffers are filled.
const N_WARM: usize = 2;

/// The setting of a measurement.
#[derive(Debug)]
pub struct Setting {
    /// Shape of the model; no part of a detector.
    pub config: TinyVitConfig,
    /// Weights in timm's naming, or the folder of a detector's weights; random ones where there are none.
    pub weights: Option<PathBuf>,
    /// Pictures in a batch.
    pub batch: usize,
    /// Threads; 0 takes as many as the machine has.
    pub n_threads: usize,
    /// Timed runs.
    pub n_runs: usize,
}

/// Times of the runs, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Times {
    /// The run in the middle.
    pub median_ms: f64,
    /// The fastest run.
    pub min_ms: f64,
    /// The slowest run.
    pub max_ms: f64,
    /// Peak of the process's resident memory, 10^6 bytes; 0 where the system does not say.
    pub peak_rss_mb: f64,
    /// The head's outputs of the first picture, or a detector's logit of FAKE.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<f32>,
}

impl Times {
    fn of(mut seconds: Vec<f64>, outputs: Vec<f32>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let (last, middle) = (seconds.len() - 1, seconds.len() / 2);
        let median = f64::midpoint(seconds[middle], seconds[last / 2]);
        let [median_ms, min_ms, max_ms] = [median, seconds[0], seconds[last]].map(|s| s * 1e3);
        let peak_rss_mb = peak_resident().unwrap_or(0) as f64 / 1e6;
        Self { median_ms, min_ms, max_ms, peak_rss_mb, outputs }
    }
}
