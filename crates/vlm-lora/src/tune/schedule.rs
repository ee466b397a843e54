//! The learning rate from step to step.

use std::f64::consts::PI;

/// A linear rise, then half a cosine down to 0: `get_cosine_schedule_with_warmup` of transformers
/// (`optimization.py`), whose first step of a rise has the rate 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    n_warmup: usize,
    n_steps: usize,
}

impl Schedule {
    /// A schedule over `n_steps` of which a `warmup` share, in `[0, 1]`, rounded up, rises.
    #[must_use]
    pub fn new(n_steps: usize, warmup: f64) -> Self {
        Self { n_warmup: (n_steps as f64 * warmup).ceil() as usize, n_steps }
    }

    /// What the rate is multiplied with in step `step`, counted from 0.
    #[must_use]
    pub fn factor(&self, step: usize) -> f64 {
        let Self { n_warmup, n_steps } = *self;
        if step < n_warmup {
            return step as f64 / n_warmup as f64;
        }
        let progress = (step - n_warmup) as f64 / n_steps.saturating_sub(n_warmup).max(1) as f64;
        (0.5 * (1.0 + (PI * progress).cos())).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[scheduler.get_last_lr()[0] for _ in range(10)]` with 3 of 10 steps of warm-up.
    #[test]
    fn ten_steps_are_those_of_transformers() {
        let schedule = Schedule::new(10, 0.25);
        let exact = [
            0.0, 0.333_333, 0.666_667, 1.0, 0.950_484, 0.811_745, 0.611_260, 0.388_740, 0.188_255,
            0.049_516,
        ];
        for (step, exact) in exact.into_iter().enumerate() {
            assert!((schedule.factor(step) - exact).abs() < 1e-6, "step {step}");
        }
    }

    #[test]
    fn without_a_rise_the_first_step_has_the_whole_rate() {
        assert_eq!(Schedule::new(10, 0.0).factor(0), 1.0);
        assert_eq!(Schedule::new(1, 1.0).factor(0), 0.0);
    }
}
