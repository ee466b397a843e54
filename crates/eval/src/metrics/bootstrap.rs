//! Percentile intervals by drawing the samples again, with replacement.

use std::num::NonZero;
use std::thread;

use rand::SeedableRng;
use rand::distr::{Distribution, Uniform};
use rand::rngs::ChaCha8Rng;

/// A bootstrap of the percentile kind over single samples.
///
/// The same seed gives the same intervals, whatever the number of threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// The number of resamples; 1,000.
    pub n_resamples: usize,
    /// Share of the resamples that the interval holds; 0.95.
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Bootstrap {
    /// 1,000 resamples and 95 % intervals.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { n_resamples: 1000, level: 0.95, seed }
    }

    /// The same with another number of resamples; none makes every interval its value.
    #[must_use]
    pub fn with_resamples(self, n_resamples: usize) -> Self {
        Self { n_resamples, ..self }
    }

    /// The ends of the intervals of `statistics` over `n` samples.
    ///
    /// `statistics` is told how often each sample was drawn, `n` counts that sum to `n`, and answers
    /// NaN for what this draw does not define. A statistic that no draw defines has no interval.
    ///
    /// # Panics
    /// If `n` is 0 or over 4 billion.
    pub fn intervals<const K: usize>(
        &self,
        n: usize,
        statistics: impl Fn(&[u32]) -> [f64; K] + Sync,
    ) -> [Option<(f64, f64)>; K] {
        let draws = self.draws(n, &statistics);
        std::array::from_fn(|index| {
            let mut values: Vec<f64> =
                draws.iter().map(|draw| draw[index]).filter(|value| !value.is_nan()).collect();
            values.sort_by(f64::total_cmp);
            let tail = (1.0 - self.level) / 2.0;
            Some((quantile(&values, tail)?, quantile(&values, 1.0 - tail)?))
        })
    }

    /// The statistics of every resample, in order, computed by as many threads as there are cores.
    fn draws<const K: usize>(
        &self,
        n: usize,
        statistics: &(impl Fn(&[u32]) -> [f64; K] + Sync),
    ) -> Vec<[f64; K]> {
        let n_threads = thread::available_parallelism().map_or(1, NonZero::get);
        let share = self.n_resamples.div_ceil(n_threads).max(1);
        let mut draws = vec![[f64::NAN; K]; self.n_resamples];
        thread::scope(|scope| {
            for (part, draws) in draws.chunks_mut(share).enumerate() {
                scope.spawn(move || {
                    let mut counts = vec![0; n];
                    for (index, draw) in draws.iter_mut().enumerate() {
                        self.draw((part * share + index) as u64, &mut counts);
                        *draw = statistics(&counts);
                    }
                });
            }
        });
        draws
    }

    /// Fills `counts` with how often resample `index` draws each sample.
    fn draw(&self, index: u64, counts: &mut [u32]) {
        counts.fill(0);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(index);
        let n = u32::try_from(counts.len()).expect("documented to be under 4 billion");
        let samples = Uniform::new(0, n).expect("documented not to be 0");
        for _ in 0..n {
            counts[samples.sample(&mut rng) as usize] += 1;
        }
    }
}

/// The value below which the share `q` of `sorted` lies, linear between neighbours.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * sorted.len().checked_sub(1)? as f64;
    let below = sorted[position.floor() as usize];
    let above = sorted[position.ceil() as usize];
    Some(below + (above - below) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(counts: &[u32]) -> [f64; 1] {
        let sum: f64 = counts.iter().enumerate().map(|(i, n)| i as f64 * f64::from(*n)).sum();
        [sum / counts.len() as f64]
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_distribution() {
        // 0..400 has the mean 199.5 and the standard deviation 115.47; 1.96 / sqrt(400) of it is 11.3.
        let [interval] = Bootstrap::new(7).intervals(400, mean);
        let (low, high) = interval.expect("a mean is always defined");
        assert!((low - 188.2).abs() < 1.5 && (high - 210.8).abs() < 1.5, "{low} {high}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        assert_eq!(Bootstrap::new(1).intervals(50, mean), Bootstrap::new(1).intervals(50, mean));
        assert_ne!(Bootstrap::new(1).intervals(50, mean), Bootstrap::new(2).intervals(50, mean));
    }

    #[test]
    fn every_draw_has_as_many_samples() {
        let total = |counts: &[u32]| [counts.iter().map(|n| f64::from(*n)).sum()];
        assert_eq!(Bootstrap::new(3).intervals(17, total), [Some((17.0, 17.0))]);
    }

    #[test]
    fn what_no_draw_defines_has_no_interval() {
        assert_eq!(Bootstrap::new(3).intervals(5, |_| [f64::NAN, 1.0]), [None, Some((1.0, 1.0))]);
        assert_eq!(Bootstrap::new(3).with_resamples(0).intervals(5, |_| [1.0]), [None]);
    }

    #[test]
    fn quantiles_are_linear_between_values() {
        let sorted = [1.0, 2.0, 4.0];
        let found = [0.0, 0.25, 0.5, 0.75, 1.0].map(|q| quantile(&sorted, q).expect("not empty"));
        assert_eq!(found, [1.0, 1.5, 2.0, 3.0, 4.0]);
    }
}
