//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with global-norm clipping and a moving
//! average of the weights, on flat vectors on the host.
//!
//! A native model has two million weights: one pass over them costs little beside a step, the
//! result is the same on every device and for every number of threads, and a checkpoint is the
//! vectors themselves.

use rayon::prelude::*;

use crate::config::TrainConfig;
use crate::parameters::{Kind, Layout};

/// Values that one task works on; sums are taken block by block, in order.
const BLOCK: usize = 1 << 14;

/// The optimizer's memory: moments and average, each as long as the weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OptimizerState {
    pub(crate) moment_1: Vec<f32>,
    pub(crate) moment_2: Vec<f32>,
    pub(crate) average: Vec<f32>,
    /// Steps taken.
    pub(crate) step: usize,
}

impl OptimizerState {
    pub(crate) fn new(weights: &[f32]) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self { moment_1: zeros.clone(), moment_2: zeros, average: weights.to_vec(), step: 0 }
    }

    /// One step: changes `weights`, which include the statistics as the forward pass left them.
    ///
    /// Returns the norm of the gradient before clipping.
    pub(crate) fn update(
        &mut self,
        layout: &Layout,
        weights: &mut [f32],
        gradient: &[f32],
        config: &TrainConfig,
        learning_rate: f64,
    ) -> f64 {
        let norm = l2_norm(gradient);
        self.step += 1;
        let rule = Rule::new(config, learning_rate, norm, self.step);
        for entry in &layout.entries {
            if entry.kind == Kind::Buffer {
                continue;
            }
            let decay = if entry.kind == Kind::Decayed { rule.decay } else { 0.0 };
            let range = || entry.range.clone();
            (weights[range()].par_chunks_mut(BLOCK))
                .zip(gradient[range()].par_chunks(BLOCK))
                .zip(self.moment_1[range()].par_chunks_mut(BLOCK))
                .zip(self.moment_2[range()].par_chunks_mut(BLOCK))
                .for_each(|(((w, g), m), v)| rule.apply(w, g, m, v, decay));
        }
        let keep = average_decay(config.ema_decay, self.step);
        (self.average.par_chunks_mut(BLOCK).zip(weights.par_chunks(BLOCK))).for_each(|(a, w)| {
            for (a, w) in a.iter_mut().zip(w) {
                *a = keep * *a + (1.0 - keep) * w;
            }
        });
        norm
    }
}

/// The numbers of one step.
struct Rule {
    scale: f32,
    beta_1: f32,
    beta_2: f32,
    // Subtracted in double precision: 1 - 0.999 in single is off by 1e-5.
    share_1: f32,
    share_2: f32,
    rate: f32,
    correction_2: f32,
    epsilon: f32,
    decay: f32,
}

impl Rule {
    fn new(config: &TrainConfig, learning_rate: f64, norm: f64, step: usize) -> Self {
        let [beta_1, beta_2] = config.betas;
        let clipped = config.clip_norm > 0.0 && norm > config.clip_norm;
        let power = i32::try_from(step).unwrap_or(i32::MAX);
        Self {
            scale: if clipped { (config.clip_norm / norm) as f32 } else { 1.0 },
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            share_1: (1.0 - beta_1) as f32,
            share_2: (1.0 - beta_2) as f32,
            rate: (learning_rate / (1.0 - beta_1.powi(power))) as f32,
            correction_2: (1.0 / (1.0 - beta_2.powi(power))) as f32,
            epsilon: config.epsilon as f32,
            decay: (learning_rate * config.weight_decay) as f32,
        }
    }

    fn apply(&self, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], decay: f32) {
        for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            let g = g * self.scale;
            *m = self.beta_1 * *m + self.share_1 * g;
            *v = self.beta_2 * *v + self.share_2 * g * g;
            let root = (*v * self.correction_2).sqrt() + self.epsilon;
            *w = *w * (1.0 - decay) - self.rate * *m / root;
        }
    }
}

/// The average starts as the weights themselves and slows down to `ema_decay`.
fn average_decay(ema_decay: f64, step: usize) -> f32 {
    let step = step as f64;
    ema_decay.min((1.0 + step) / (10.0 + step)) as f32
}

fn l2_norm(values: &[f32]) -> f64 {
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    let blocks: Vec<f64> =
        values.par_chunks(BLOCK).map(|block| block.iter().map(square).sum()).collect();
    blocks.iter().sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Entry;

    fn layout() -> Layout {
        let entry = |kind, range| Entry { path: String::new(), kind, range };
        let mut layout = Layout::default();
        layout.entries =
            vec![entry(Kind::Decayed, 0..2), entry(Kind::Plain, 2..3), entry(Kind::Buffer, 3..4)];
        layout
    }

    fn config() -> TrainConfig {
        TrainConfig { clip_norm: 0.0, weight_decay: 0.1, epsilon: 1e-8, ..TrainConfig::default() }
    }

    /// `torch.optim.AdamW([tensor([1., -2.]), lr 0.1, weight_decay 0.1)`, two steps with gradients
    /// [0.5, -1] and [0.25, 1]: the first step moves by the rate whatever the gradient's size.
    #[test]
    fn two_steps_are_those_of_the_formula() {
        let mut weights = vec![1.0, -2.0, 3.0, 7.0];
        let mut state = OptimizerState::new(&weights);
        state.update(&layout(), &mut weights, &[0.5, -1.0, 2.0, 9.0], &config(), 0.1);
        for (ours, exact) in weights.iter().zip([0.99 - 0.1, -1.98 + 0.1, 2.9, 7.0]) {
            assert!((ours - exact).abs() < 1e-6, "{ours} {exact}");
        }
        state.update(&layout(), &mut weights, &[0.25, 1.0, 0.0, 9.0], &config(), 0.1);
        let m = (0.9 * 0.05 + 0.1 * 0.25) / (1.0 - 0.81);
        let v: f64 = (0.999 * 0.00025 + 0.001 * 0.0625) / (1.0 - 0.998_001);
        let exact = 0.89 * 0.99 - 0.1 * m / (v.sqrt() + 1e-8);
        assert!((f64::from(weights[0]) - exact).abs() < 1e-6);
        assert_eq!(weights[3], 7.0);
    }

    #[test]
    fn a_large_gradient_is_scaled_to_the_limit() {
        let config = TrainConfig { clip_norm: 1.0, ..config() };
        let mut weights = vec![0.0; 4];
        let mut state = OptimizerState::new(&weights);
        let norm = state.update(&layout(), &mut weights, &[30.0, 40.0, 0.0, 0.0], &config, 0.1);
        assert_eq!(norm, 50.0);
        assert!((state.moment_1[0] - 0.06).abs() < 1e-6);
    }

    #[test]
    fn the_average_follows_weights_and_statistics() {
        let mut weights = vec![0.0, 0.0, 0.0, 1.0];
        let mut state = OptimizerState::new(&[0.0; 4]);
        state.update(&layout(), &mut weights, &[0.0; 4], &config(), 0.1);
        assert!((state.average[3] - (1.0 - 2.0 / 11.0)).abs() < 1e-6);
    }
}
