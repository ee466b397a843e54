//! Settings of robust training.

use cifake_attacks::Epsilon;
use cifake_optim::Schedule;
use serde::{Deserialize, Serialize};

/// The training of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FareConfig {
    /// Radius of the linf ball of the attack.
    pub epsilon: Epsilon,
    /// Length of a step of the attack.
    pub step_size: Epsilon,
    /// Steps of the attack.
    pub attack_steps: usize,
    /// Share of the last direction that a step of the attack keeps.
    pub momentum: f64,
    /// Peak of the learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay of all weights.
    pub weight_decay: f64,
    /// Steps until the peak, from 0 in a line.
    pub warmup_steps: usize,
    /// Steps until the learning rate is 0, by a cosine.
    pub steps: usize,
    /// Pictures of a step.
    pub batch_size: usize,
    /// Root of all random draws.
    pub seed: u64,
}

impl FareConfig {
    /// FARE2: 10 steps of 1/255 within 2/255, AdamW at 1e-5, 20,000 steps of 128 pictures.
    #[must_use]
    pub fn fare2() -> Self {
        let levels = |levels| Epsilon::from_255(levels).expect("a literal radius is finite");
        Self {
            epsilon: levels(2.0),
            step_size: levels(1.0),
            attack_steps: 10,
            momentum: 0.9,
            learning_rate: 1e-5,
            weight_decay: 1e-4,
            warmup_steps: 1_400,
            steps: 20_000,
            batch_size: 128,
            seed: 1,
        }
    }

    /// FARE4: the same within 4/255.
    #[must_use]
    pub fn fare4() -> Self {
        let epsilon = Epsilon::from_255(4.0).expect("a literal radius is finite");
        Self { epsilon, ..Self::fare2() }
    }

    pub(super) fn schedule(&self) -> Schedule {
        Schedule::new(self.learning_rate, 0.0, self.warmup_steps as f64, self.steps)
    }
}
