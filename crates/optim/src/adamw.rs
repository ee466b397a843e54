//! AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) with clipping by the norm of the whole
//! gradient.

use std::ops::Range;

use rayon::prelude::*;

/// Values that one task works on. The blocks also fix the order of [`Rounding::Reciprocal`]'s sums.
const BLOCK: usize = 1 << 14;

/// The optimizer's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay rates of the two moments, in `[0, 1)`.
    pub betas: [f64; 2],
    /// Added to the root of the second moment, above 0.
    pub epsilon: f64,
    /// Largest l2 norm of the gradient; a larger one is scaled down to it. 0 turns clipping off.
    pub clip_norm: f64,
    /// Order of the operations that round.
    pub rounding: Rounding,
}

/// The order of the operations that round to `f32`.
///
/// Both variants compute the same formula; their last bits differ. A trainer keeps its variant, so
/// that a run goes on from an older checkpoint to the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Sums the norm by blocks, rounds `rate * decay` before it is subtracted from 1, and multiplies
    /// the second moment by the reciprocal of its correction.
    Reciprocal,
    /// Sums the norm in one pass, rounds `1 - rate * decay`, and divides the second moment by its
    /// correction.
    Quotient,
}

/// Weights that share a learning rate and a decay.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Place of the weights in the flat vector.
    pub range: Range<usize>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Decoupled weight decay; a step scales the weights by `1 - learning_rate * weight_decay`.
    pub weight_decay: f64,
}

/// The moving averages of the gradient and of its square, each as long as the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Average of the gradient.
    pub first: Vec<f32>,
    /// Average of the squared gradient.
    pub second: Vec<f32>,
    /// Steps taken.
    pub step: usize,
}

impl Moments {
    /// The moments of `n_values` weights before the first step.
    #[must_use]
    pub fn new(n_values: usize) -> Self {
        Self { first: vec![0.0; n_values], second: vec![0.0; n_values], step: 0 }
    }
}

impl AdamW {
    /// Takes one step of `weights` against `gradient`; weights outside of all `groups` stay.
    ///
    /// Returns the norm of the gradient before clipping.
    ///
    /// # Panics
    ///
    /// If weights, gradient and moments have different lengths, or a group ends behind them.
    pub fn update(
        &self,
        moments: &mut Moments,
        groups: &[Group],
        weights: &mut [f32],
        gradient: &[f32],
    ) -> f64 {
        let lens = [gradient.len(), moments.first.len(), moments.second.len()];
        assert_eq!(lens, [weights.len(); 3], "gradient and moments are as long as the weights");
        let norm = self.rounding.l2_norm(gradient);
        moments.step += 1;
        for group in groups {
            let rule = Rule::new(self, group, norm, moments.step);
            let range = || group.range.clone();
            (weights[range()].par_chunks_mut(BLOCK))
                .zip(gradient[range()].par_chunks(BLOCK))
                .zip(moments.first[range()].par_chunks_mut(BLOCK))
                .zip(moments.second[range()].par_chunks_mut(BLOCK))
                .for_each(|(((w, g), m), v)| rule.apply(w, g, m, v, self.rounding));
        }
        norm
    }
}

impl Rounding {
    fn l2_norm(self, values: &[f32]) -> f64 {
        let square = |x: &f32| f64::from(*x) * f64::from(*x);
        match self {
            Self::Quotient => values.iter().map(square).sum::<f64>().sqrt(),
            Self::Reciprocal => {
                let blocks: Vec<f64> =
                    values.par_chunks(BLOCK).map(|block| block.iter().map(square).sum()).collect();
                blocks.iter().sum::<f64>().sqrt()
            }
        }
    }
}

/// The numbers of one step of one group.
struct Rule {
    scale: f32,
    beta_1: f32,
    beta_2: f32,
    // Subtracted in double precision: 1 - 0.999 in single is off by 1e-5.
    share_1: f32,
    share_2: f32,
    rate: f32,
    /// The factor or divisor of the second moment.
    correction_2: f32,
    epsilon: f32,
    /// The factor of the weights before the step.
    keep: f32,
}

impl Rule {
    fn new(optimizer: &AdamW, group: &Group, norm: f64, step: usize) -> Self {
        let AdamW { betas: [beta_1, beta_2], epsilon, clip_norm, rounding } = *optimizer;
        let clipped = clip_norm > 0.0 && norm > clip_norm;
        let power = i32::try_from(step).unwrap_or(i32::MAX);
        let [correction_1, correction_2] = [beta_1, beta_2].map(|beta| 1.0 - beta.powi(power));
        let decay = group.learning_rate * group.weight_decay;
        let (keep, correction_2) = match rounding {
            Rounding::Reciprocal => (1.0 - decay as f32, (1.0 / correction_2) as f32),
            Rounding::Quotient => ((1.0 - decay) as f32, correction_2 as f32),
        };
        Self {
            scale: if clipped { (clip_norm / norm) as f32 } else { 1.0 },
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            share_1: (1.0 - beta_1) as f32,
            share_2: (1.0 - beta_2) as f32,
            rate: (group.learning_rate / correction_1) as f32,
            correction_2,
            epsilon: epsilon as f32,
            keep,
        }
    }

    fn apply(&self, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], rounding: Rounding) {
        match rounding {
            Rounding::Reciprocal => self.step(w, g, m, v, |v| v * self.correction_2),
            Rounding::Quotient => self.step(w, g, m, v, |v| v / self.correction_2),
        }
    }

    fn step(
        &self,
        w: &mut [f32],
        g: &[f32],
        m: &mut [f32],
        v: &mut [f32],
        corrected: impl Fn(f32) -> f32,
    ) {
        for (((w, g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            let g = g * self.scale;
            *m = self.beta_1 * *m + self.share_1 * g;
            *v = self.beta_2 * *v + self.share_2 * g * g;
            let root = corrected(*v).sqrt() + self.epsilon;
            *w = *w * self.keep - self.rate * *m / root;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn optimizer(clip_norm: f64, rounding: Rounding) -> AdamW {
        AdamW { betas: [0.9, 0.999], epsilon: 1e-8, clip_norm, rounding }
    }

    fn group(range: Range<usize>, learning_rate: f64, weight_decay: f64) -> Group {
        Group { range, learning_rate, weight_decay }
    }

    /// `torch.optim.AdamW([tensor([1., -2.])], lr 0.1, weight_decay 0.1)`: the first step moves by
    /// the rate whatever the gradient's size.
    #[test]
    fn two_steps_are_those_of_the_formula() {
        for rounding in [Rounding::Reciprocal, Rounding::Quotient] {
            let optimizer = optimizer(0.0, rounding);
            let groups = [group(0..2, 0.1, 0.1), group(2..3, 0.1, 0.0)];
            let mut weights = vec![1.0, -2.0, 3.0, 7.0];
            let mut moments = Moments::new(4);
            let mut step = |gradient: [f32; 4]| {
                let norm = optimizer.update(&mut moments, &groups, &mut weights, &gradient);
                (weights.clone(), norm)
            };
            let (weights, norm) = step([0.5, -1.0, 2.0, 9.0]);
            assert!((norm - (0.25f64 + 1.0 + 4.0 + 81.0).sqrt()).abs() < 1e-12);
            for (ours, exact) in weights.iter().zip([0.99 - 0.1, -1.98 + 0.1, 2.9, 7.0]) {
                assert!((ours - exact).abs() < 1e-6, "{ours} {exact}");
            }
            let (weights, _) = step([0.25, 1.0, 0.0, 9.0]);
            let m = (0.9 * 0.05 + 0.1 * 0.25) / (1.0 - 0.81);
            let v: f64 = (0.999 * 0.00025 + 0.001 * 0.0625) / (1.0 - 0.998_001);
            let exact = 0.89 * 0.99 - 0.1 * m / (v.sqrt() + 1e-8);
            assert!((f64::from(weights[0]) - exact).abs() < 1e-6);
            assert_eq!(weights[3], 7.0);
        }
    }

    #[test]
    fn a_large_gradient_is_scaled_to_the_limit() {
        let (mut weights, mut moments) = (vec![0.0; 4], Moments::new(4));
        let gradient = [30.0, 40.0, 0.0, 0.0];
        let optimizer = optimizer(1.0, Rounding::Reciprocal);
        let norm =
            optimizer.update(&mut moments, &[group(0..4, 0.1, 0.0)], &mut weights, &gradient);
        assert_eq!(norm, 50.0);
        assert!((moments.first[0] - 0.06).abs() < 1e-6);
    }

    /// One weight as the detectors' trainer stepped it before there was this crate.
    fn reciprocal(weight: &mut f32, [m, v]: [&mut f32; 2], g: f32, step: i32, scale: f32) {
        let (rate, decay) = (3e-3, 0.05);
        let g = g * scale;
        *m = 0.9f64 as f32 * *m + (1.0 - 0.9f64) as f32 * g;
        *v = 0.999f64 as f32 * *v + (1.0 - 0.999f64) as f32 * g * g;
        let correction = (1.0 / (1.0 - 0.999f64.powi(step))) as f32;
        let root = (*v * correction).sqrt() + 1e-8;
        let rate_1 = (rate / (1.0 - 0.9f64.powi(step))) as f32;
        *weight = *weight * (1.0 - (rate * decay) as f32) - rate_1 * *m / root;
    }

    /// One weight as the adapters' trainer stepped it.
    fn quotient(weight: &mut f32, [m, v]: [&mut f32; 2], g: f32, step: i32, scale: f32) {
        let (rate, decay) = (3e-3, 0.05);
        let keep = (1.0 - rate * decay) as f32;
        let g = g * scale;
        *m = 0.9f64 as f32 * *m + (1.0 - 0.9f64) as f32 * g;
        *v = 0.999f64 as f32 * *v + (1.0 - 0.999f64) as f32 * g * g;
        let root = (*v / (1.0 - 0.999f64.powi(step)) as f32).sqrt() + 1e-8;
        let rate = (rate / (1.0 - 0.9f64.powi(step))) as f32;
        *weight = *weight * keep - rate * *m / root;
    }

    /// Checkpoints of earlier versions go on to the same bits.
    #[test]
    fn each_rounding_keeps_the_bits_of_the_trainer_that_it_comes_from() {
        type Step = fn(&mut f32, [&mut f32; 2], f32, i32, f32);
        let both: [(Rounding, Step); 2] =
            [(Rounding::Reciprocal, reciprocal), (Rounding::Quotient, quotient)];
        // Several blocks, and the last one not whole.
        let n_values = 2 * BLOCK + 77;
        let mut finals = Vec::new();
        for (rounding, expected) in both {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let mut weights: Vec<f32> =
                (0..n_values).map(|_| rng.random_range(-1.0..1.0)).collect();
            let mut theirs = weights.clone();
            let (mut moments, mut their_moments) = (Moments::new(n_values), Moments::new(n_values));
            let groups = [group(0..n_values, 3e-3, 0.05)];
            for step in 1..=5 {
                let gradient: Vec<f32> =
                    (0..n_values).map(|_| rng.random_range(-0.1..0.1)).collect();
                let optimizer = optimizer(2.0, rounding);
                let norm = optimizer.update(&mut moments, &groups, &mut weights, &gradient);
                let square = |x: &f32| f64::from(*x) * f64::from(*x);
                let exact = match rounding {
                    Rounding::Quotient => gradient.iter().map(square).sum::<f64>(),
                    Rounding::Reciprocal => {
                        let blocks = gradient.chunks(1 << 14).map(|b| b.iter().map(square).sum());
                        blocks.collect::<Vec<f64>>().iter().sum()
                    }
                };
                assert_eq!(norm.to_bits(), exact.sqrt().to_bits());
                let scale = (2.0 / norm) as f32;
                for i in 0..n_values {
                    let own = [&mut their_moments.first[i], &mut their_moments.second[i]];
                    expected(&mut theirs[i], own, gradient[i], step, scale);
                }
            }
            assert!(weights == theirs, "{rounding:?}");
            assert!(moments.first == their_moments.first && moments.second == their_moments.second);
            finals.push(weights);
        }
        assert!(finals[0] != finals[1], "the two round differently");
    }
}
