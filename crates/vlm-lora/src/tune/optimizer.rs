//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with global-norm clipping, on flat vectors on
//! the host: adapters are small, the result is the same on every device and for every number of
//! threads, and a checkpoint is the vectors themselves.

use std::ops::Range;

use super::config::TuningConfig;

/// Weights that share a learning rate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) range: Range<usize>,
    /// Learning rate at its highest.
    pub(crate) learning_rate: f64,
}

/// The optimizer's memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    /// Steps taken.
    pub(crate) step: usize,
}

impl Moments {
    pub(crate) fn new(n_values: usize) -> Self {
        Self { first: vec![0.0; n_values], second: vec![0.0; n_values], step: 0 }
    }

    /// One step of `weights` against `gradient`, with each group's rate times `factor`; returns the
    /// norm of the gradient before clipping.
    pub(crate) fn update(
        &mut self,
        groups: &[Group],
        weights: &mut [f32],
        gradient: &[f32],
        config: &TuningConfig,
        factor: f64,
    ) -> f64 {
        let norm = gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
        self.step += 1;
        let clipped = config.clip_norm > 0.0 && norm > config.clip_norm;
        let scale = if clipped { (config.clip_norm / norm) as f32 } else { 1.0 };
        let power = i32::try_from(self.step).unwrap_or(i32::MAX);
        let [beta_1, beta_2] = config.betas;
        let [correction_1, correction_2] = config.betas.map(|beta| 1.0 - beta.powi(power));
        // Subtracted in double precision: 1 - 0.999 in single is off by 1e-5.
        let (share_1, share_2) = ((1.0 - beta_1) as f32, (1.0 - beta_2) as f32);
        let (beta_1, beta_2) = (beta_1 as f32, beta_2 as f32);
        let (correction_2, epsilon) = (correction_2 as f32, config.epsilon as f32);
        for Group { range, learning_rate } in groups {
            let rate = learning_rate * factor;
            let keep = (1.0 - rate * config.weight_decay) as f32;
            let rate = (rate / correction_1) as f32;
            for i in range.clone() {
                let g = gradient[i] * scale;
                let m = beta_1 * self.first[i] + share_1 * g;
                let v = beta_2 * self.second[i] + share_2 * g * g;
                (self.first[i], self.second[i]) = (m, v);
                let root = (v / correction_2).sqrt() + epsilon;
                weights[i] = weights[i] * keep - rate * m / root;
            }
        }
        norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peft::{LoraConfig, Modules};

    #[test]
    fn two_steps_are_those_of_the_formula() {
        let lora = LoraConfig::new(1, 1.0, Modules::all_linear());
        let config =
            TuningConfig { weight_decay: 0.1, clip_norm: 0.0, ..TuningConfig::new(lora, 0.1) };
        let groups =
            [Group { range: 0..1, learning_rate: 0.1 }, Group { range: 1..2, learning_rate: 0.0 }];
        let mut weights = vec![1.0, 2.0];
        let mut moments = Moments::new(2);
        assert_eq!(moments.update(&groups, &mut weights, &[3.0, 4.0], &config, 1.0), 5.0);
        // The first step moves by the rate whatever the gradient's size.
        assert!((weights[0] - (0.99 - 0.1)).abs() < 1e-6);
        moments.update(&groups, &mut weights, &[1.5, 4.0], &config, 0.5);
        let (m, v) = (0.9 * 0.3 + 0.1 * 1.5, 0.999 * 0.009 + 0.001 * 2.25f64);
        let step = 0.05 * (m / 0.19) / ((v / (1.0 - 0.998_001)).sqrt() + 1e-8);
        assert!((f64::from(weights[0]) - (0.89 * 0.995 - step)).abs() < 1e-6);
        assert_eq!(weights[1], 2.0);
    }
}
