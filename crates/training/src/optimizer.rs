//! AdamW and the moving average of the weights, on flat vectors on the host.

use cifake_optim::{AdamW, Group, Moments, Rounding};
use rayon::prelude::*;

use crate::config::TrainConfig;
use crate::parameters::{Kind, Layout};

/// Values that one task averages.
const BLOCK: usize = 1 << 14;

/// The optimizer's state: moments and average, each as long as the weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OptimizerState {
    pub(crate) moments: Moments,
    pub(crate) average: Vec<f32>,
}

impl OptimizerState {
    pub(crate) fn new(weights: &[f32]) -> Self {
        Self { moments: Moments::new(weights.len()), average: weights.to_vec() }
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
        let optimizer = AdamW {
            betas: config.betas,
            epsilon: config.epsilon,
            clip_norm: config.clip_norm,
            rounding: Rounding::Reciprocal,
        };
        let groups = groups(layout, learning_rate, config.weight_decay);
        let norm = optimizer.update(&mut self.moments, &groups, weights, gradient);
        let keep = average_decay(config.ema_decay, self.moments.step);
        (self.average.par_chunks_mut(BLOCK).zip(weights.par_chunks(BLOCK))).for_each(|(a, w)| {
            for (a, w) in a.iter_mut().zip(w) {
                *a = keep * *a + (1.0 - keep) * w;
            }
        });
        norm
    }

    /// Name of the first tensor whose weights, moments or average have a value that is not finite.
    pub(crate) fn first_not_finite<'a>(
        &self,
        layout: &'a Layout,
        weights: &[f32],
    ) -> Option<&'a str> {
        let Moments { first, second, .. } = &self.moments;
        [weights, first, second, &self.average]
            .into_iter()
            .find_map(|values| layout.first_not_finite(values))
    }
}

/// Every tensor but the running statistics, which no gradient reaches.
fn groups(layout: &Layout, learning_rate: f64, weight_decay: f64) -> Vec<Group> {
    let group = |part: &cifake_optim::Part<Kind>| {
        let weight_decay = match part.kind {
            Kind::Decayed => weight_decay,
            Kind::Plain => 0.0,
            Kind::Buffer => return None,
        };
        Some(Group { range: part.range.clone(), learning_rate, weight_decay })
    };
    layout.parts().iter().filter_map(group).collect()
}

/// The average starts as the weights themselves and slows down to `ema_decay`.
fn average_decay(ema_decay: f64, step: usize) -> f32 {
    let step = step as f64;
    ema_decay.min((1.0 + step) / (10.0 + step)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let mut layout = cifake_optim::Layout::default();
        layout.push("matrix", 2, Kind::Decayed);
        layout.push("bias", 1, Kind::Plain);
        layout.push("running_mean", 1, Kind::Buffer);
        layout.into()
    }

    fn config() -> TrainConfig {
        TrainConfig { clip_norm: 0.0, weight_decay: 0.1, epsilon: 1e-8, ..TrainConfig::default() }
    }

    #[test]
    fn matrices_are_decayed_and_statistics_stay() {
        let mut weights = vec![1.0, -2.0, 3.0, 7.0];
        let mut state = OptimizerState::new(&weights);
        state.update(&layout(), &mut weights, &[0.5, -1.0, 2.0, 9.0], &config(), 0.1);
        for (ours, exact) in weights.iter().zip([0.99 - 0.1, -1.98 + 0.1, 2.9, 7.0]) {
            assert!((ours - exact).abs() < 1e-6, "{ours} {exact}");
        }
    }

    #[test]
    fn the_average_follows_weights_and_statistics() {
        let mut weights = vec![0.0, 0.0, 0.0, 1.0];
        let mut state = OptimizerState::new(&[0.0; 4]);
        state.update(&layout(), &mut weights, &[0.0; 4], &config(), 0.1);
        assert!((state.average[3] - (1.0 - 2.0 / 11.0)).abs() < 1e-6);
    }

    /// A finite gradient whose square is not breaks the second moment.
    #[test]
    fn a_broken_moment_is_found() {
        let mut weights = vec![0.0; 4];
        let mut state = OptimizerState::new(&weights);
        assert_eq!(state.first_not_finite(&layout(), &weights), None);
        state.update(&layout(), &mut weights, &[0.0, 0.0, 3e38, 0.0], &config(), 0.1);
        assert_eq!(state.first_not_finite(&layout(), &weights), Some("bias"));
    }
}
