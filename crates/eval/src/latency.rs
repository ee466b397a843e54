//! The time that a detector takes.

use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use cifake::Scorer;
use serde::{Deserialize, Serialize};

/// Runs before the timed ones: caches and buffers are filled.
const N_WARM: usize = 2;
/// Timed runs, where the time allows them.
const N_RUNS: usize = 20;

/// The time that a scorer takes for a picture of a batch that is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Pictures in the batch.
    pub batch: usize,
    /// Timed runs.
    pub n_runs: usize,
    /// Of the run in the middle, in milliseconds a picture.
    pub median_ms: f64,
    /// Of the fastest run, in milliseconds a picture.
    pub min_ms: f64,
    /// Of the slowest run, in milliseconds a picture.
    pub max_ms: f64,
}

impl Latency {
    /// Times `scorer` on `batch` pictures of `size` (width, height) on `device`: 20 runs after two that do not
    /// count, or as many as begin within `time`, at least one.
    ///
    /// Value `i` of the pictures, `[batch, 3, height, width]`, is `((i * 7919 + 13) mod 256) / 255`.
    ///
    /// # Panics
    /// If `batch` or a side is 0.
    #[must_use]
    pub fn measure(
        scorer: &dyn Scorer,
        size: (u32, u32),
        batch: usize,
        device: &Device,
        time: Duration,
    ) -> Self {
        let shape = [batch, 3, size.1 as usize, size.0 as usize];
        let n_values: usize = shape.iter().product();
        assert!(n_values > 0, "there is no picture to time");
        let value = |i: usize| (i.wrapping_mul(7919).wrapping_add(13) % 256) as f32 / 255.0;
        let values: Vec<f32> = (0..n_values).map(value).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values, shape), device);
        let (begun, mut seconds) = (Instant::now(), Vec::new());
        while seconds.len() < N_WARM + N_RUNS && (seconds.is_empty() || begun.elapsed() < time) {
            let images = images.clone();
            let start = Instant::now();
            let scores = scorer.scores(images).into_data_as::<f32>();
            seconds.push(start.elapsed().as_secs_f64());
            debug_assert_eq!(scores.num_elements(), batch);
        }
        let mut timed = seconds.split_off(N_WARM.min(seconds.len() - 1));
        timed.sort_by(f64::total_cmp);
        let (last, middle) = (timed.len() - 1, timed.len() / 2);
        let median = f64::midpoint(timed[middle], timed[last / 2]);
        let [median_ms, min_ms, max_ms] =
            [median, timed[0], timed[last]].map(|seconds| 1e3 * seconds / batch as f64);
        Self { batch, n_runs: timed.len(), median_ms, min_ms, max_ms }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cifake::FnScorer;

    use super::*;

    #[test]
    fn a_picture_takes_its_share_of_the_batch() {
        let n_calls = AtomicUsize::new(0);
        let scorer = FnScorer(|images: Tensor<4>| {
            let [batch, channels, height, width] = images.dims();
            assert_eq!([batch, channels, height, width], [4, 3, 5, 7]);
            n_calls.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(2));
            images.reshape([batch, 105]).mean_dim(1).reshape([batch])
        });
        let measure = |time| Latency::measure(&scorer, (7, 5), 4, &Device::flex(), time);
        let found = measure(Duration::from_secs(600));
        assert_eq!((found.batch, found.n_runs), (4, N_RUNS));
        assert_eq!(n_calls.load(Ordering::Relaxed), N_WARM + N_RUNS);
        assert!(found.min_ms >= 0.5, "{found:?}");
        assert!(found.min_ms <= found.median_ms && found.median_ms <= found.max_ms, "{found:?}");
        // Without time, the first run is all there is.
        assert_eq!(measure(Duration::ZERO).n_runs, 1);
    }
}
