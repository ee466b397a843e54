//! The learning rate from step to step.

use std::f64::consts::PI;

/// A linear warm-up, then half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    peak: f64,
    floor: f64,
    n_warmup: f64,
    n_steps: usize,
    starts_at_zero: bool,
}

impl Schedule {
    /// Rises to `peak` in `n_warmup` steps, which may be a fraction, and falls to `floor` at
    /// `n_steps`.
    ///
    /// The first step of the warm-up has the rate `peak / n_warmup`.
    #[must_use]
    pub fn new(peak: f64, floor: f64, n_warmup: f64, n_steps: usize) -> Self {
        Self { peak, floor, n_warmup, n_steps, starts_at_zero: false }
    }

    /// The first step of the warm-up has the rate 0, as in transformers'
    /// `get_cosine_schedule_with_warmup` (`optimization.py`).
    #[must_use]
    pub fn starting_at_zero(mut self) -> Self {
        self.starts_at_zero = true;
        self
    }

    /// Learning rate of `step`, counted from 0.
    #[must_use]
    pub fn rate(&self, step: usize) -> f64 {
        let Self { peak, floor, n_warmup, n_steps, starts_at_zero } = *self;
        let (step, n_steps) = (step as f64, n_steps as f64);
        if step < n_warmup {
            let risen = if starts_at_zero { step } else { step + 1.0 };
            return peak * risen / n_warmup.max(1.0);
        }
        let done = ((step - n_warmup) / (n_steps - n_warmup).max(1.0)).min(1.0);
        let cosine = 0.5 * (1.0 + (PI * done).cos());
        floor + (peak - floor) * cosine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_its_floor() {
        let schedule = Schedule::new(1.5e-3, 1e-5, 10.0, 40);
        let rates: Vec<f64> = (0..=50).map(|step| schedule.rate(step)).collect();
        assert!(rates[..10].is_sorted());
        assert_eq!((rates[0], rates[9]), (1.5e-3 / 10.0, 1.5e-3));
        assert!(rates[10..].is_sorted_by(|a, b| a >= b));
        assert!(rates[40..].iter().all(|rate| (rate - 1e-5).abs() < 1e-12));
    }

    /// `[scheduler.get_last_lr()[0] for _ in range(10)]` with 3 of 10 steps of warm-up.
    #[test]
    fn ten_steps_are_those_of_transformers() {
        let schedule = Schedule::new(1.0, 0.0, 3.0, 10).starting_at_zero();
        let exact = [
            0.0, 0.333_333, 0.666_667, 1.0, 0.950_484, 0.811_745, 0.611_260, 0.388_740, 0.188_255,
            0.049_516,
        ];
        for (step, exact) in exact.into_iter().enumerate() {
            assert!((schedule.rate(step) - exact).abs() < 1e-6, "step {step}");
        }
    }

    #[test]
    fn without_a_warm_up_the_first_step_has_the_whole_rate() {
        assert_eq!(Schedule::new(2.0, 0.0, 0.0, 10).rate(0), 2.0);
        assert_eq!(Schedule::new(2.0, 0.0, 0.0, 10).starting_at_zero().rate(0), 2.0);
        assert_eq!(Schedule::new(2.0, 0.0, 1.0, 1).starting_at_zero().rate(0), 0.0);
    }
}
