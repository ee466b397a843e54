//! Recipes of diffusion models.

use cifake::weights::Configured;
use cifake_kernels::Products;
use cifake_optim::Schedule;
use cifake_training::{DataConfig, Range};
use serde::{Deserialize, Serialize};

use crate::dire::{Diffusion, UNet, UNetConfig};

/// Most epochs, pictures a step and steps of the warm-up.
const MAX_COUNT: usize = 1 << 20;

/// A recipe file: model, data and training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DdpmRecipe {
    /// The network; it predicts the noise alone, so that `learn_sigma` is false.
    pub model: UNetConfig,
    /// The part of the training set that is used; of it, the camera pictures.
    #[serde(default)]
    pub data: DataConfig,
    /// The settings of the training.
    #[serde(default)]
    pub train: DdpmConfig,
}

/// The settings of a training run. Together with the data and the model they determine the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DdpmConfig {
    /// Root of every random draw.
    pub seed: u64,
    /// Passes over the training set, 1 to 2^20.
    pub epochs: usize,
    /// Pictures a step, 1 to 2^20; an incomplete batch at the end of an epoch is left out.
    pub batch_size: usize,
    /// Highest learning rate of Adam, reached at the end of the warm-up; above 0, at most 100.
    pub learning_rate: f64,
    /// Learning rate at the end of the cosine, 0 to `learning_rate`.
    pub min_learning_rate: f64,
    /// Steps of the linear warm-up, at most 2^20.
    pub warmup_steps: usize,
    /// Largest l2 norm of the whole gradient, 0 to 1e9; a larger one is scaled down to it. 0 turns it off.
    pub clip_norm: f64,
    /// Decay of the exponential moving average of the weights; the average is validated and saved. The
    /// decay starts lower, at `(1 + step) / (10 + step)`. It is in `[0, 1)`.
    pub ema_decay: f64,
    /// Whether half of the pictures are mirrored left to right.
    pub flip: bool,
    /// Steps of the diffusion, with variances on a line from 1e-4 to 0.02 for 1000 steps.
    pub learned_steps: usize,
    /// Steps of the pictures that are drawn after each epoch.
    pub sample_steps: usize,
    /// Precision of the operands of the products of linear layers; all else is `f32`.
    pub products: Products,
    /// Longest time between two checkpoints, 0 to 1e6 minutes.
    pub checkpoint_minutes: f64,
}

impl Default for DdpmConfig {
    /// The rate, the clipping and the mirrored pictures of Ho et al.; their average decays at 0.9999, over ten
    /// times as many steps.
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 20,
            batch_size: 64,
            learning_rate: 2e-4,
            min_learning_rate: 0.0,
            warmup_steps: 500,
            clip_norm: 1.0,
            ema_decay: 0.999,
            flip: true,
            learned_steps: 1000,
            sample_steps: 50,
            products: Products::F32,
            checkpoint_minutes: 3.0,
        }
    }
}

impl DdpmRecipe {
    /// Checks the ranges of all fields.
    ///
    /// # Errors
    ///
    /// A sentence with the field that is out of range.
    pub fn validate(&self) -> Result<(), String> {
        UNet::validate(&self.model).map_err(|reason| format!("the section model: {reason}"))?;
        if self.model.learn_sigma {
            return Err("the section model: learn_sigma must be false".into());
        }
        if self.model.image_size != self.data.side as usize {
            return Err("image_size of the section model must be side of the section data".into());
        }
        self.train.validate()
    }
}

impl DdpmConfig {
    fn validate(&self) -> Result<(), String> {
        let count = Range::Closed(1.0, MAX_COUNT as f64);
        count.check_count("epochs", self.epochs)?;
        count.check_count("batch_size", self.batch_size)?;
        Range::Closed(0.0, MAX_COUNT as f64).check_count("warmup_steps", self.warmup_steps)?;
        for (name, value, range) in [
            ("learning_rate", self.learning_rate, Range::Above(0.0, 100.0)),
            ("min_learning_rate", self.min_learning_rate, Range::Closed(0.0, self.learning_rate)),
            ("clip_norm", self.clip_norm, Range::Closed(0.0, 1e9)),
            ("ema_decay", self.ema_decay, Range::Below(0.0, 1.0)),
            ("checkpoint_minutes", self.checkpoint_minutes, Range::Closed(0.0, 1e6)),
        ] {
            range.check(name, value)?;
        }
        for steps in [self.learned_steps, self.sample_steps] {
            Diffusion::linear(self.learned_steps, steps).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The learning rate of a run of `n_steps` steps.
    pub(super) fn schedule(&self, n_steps: usize) -> Schedule {
        let warmup = self.warmup_steps as f64;
        Schedule::new(self.learning_rate, self.min_learning_rate, warmup, n_steps)
    }

    /// The average's decay at `step`.
    pub(super) fn decay_at(&self, step: usize) -> f32 {
        let step = step as f64;
        self.ema_decay.min((1.0 + step) / (10.0 + step)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_of_nonsense_is_refused() {
        let good = DdpmRecipe {
            model: UNetConfig::ddpm_32(),
            data: DataConfig::default(),
            train: DdpmConfig::default(),
        };
        assert_eq!(good.validate(), Ok(()));
        let train = |change: fn(&mut DdpmConfig)| {
            let mut broken = good.clone();
            change(&mut broken.train);
            broken
        };
        for broken in [
            train(|train| train.epochs = 0),
            train(|train| train.batch_size = usize::MAX),
            train(|train| train.warmup_steps = usize::MAX),
            train(|train| train.learning_rate = f64::NAN),
            train(|train| train.clip_norm = -1.0),
            train(|train| train.ema_decay = 1.0),
            train(|train| train.min_learning_rate = 1e300),
            train(|train| train.checkpoint_minutes = f64::INFINITY),
            train(|train| train.learned_steps = 0),
            train(|train| train.sample_steps = 999),
            DdpmRecipe { data: good.data.clone().with_side(64), ..good.clone() },
            DdpmRecipe {
                model: UNetConfig { learn_sigma: true, ..good.model.clone() },
                ..good.clone()
            },
        ] {
            assert!(broken.validate().is_err(), "{broken:?}");
        }
    }
}
