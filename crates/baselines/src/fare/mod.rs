//! Robust CLIP, FARE (Schlarmann et al. 2024, arXiv 2402.12336): an encoder learns to give attacked pictures the
//! embeddings that it gave them clean, without labels.
//!
//! The settings are those of chs20/RobustVLM, `train/adversarial_training_clip.py` and `train/pgd_train.py`. One thing
//! differs: upstream takes the first step at the full learning rate and begins the warm-up with the second; here the
//! first step belongs to the warm-up. Its checkpoints hold `visual` alone, which
//! [`VitConfig::load`](cifake_vit::VitConfig::load) reads as any tower.

mod attack;
mod config;
mod recipe;
mod run;
#[cfg(test)]
mod tests;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use cifake_attacks::kit::SampleRng;
use cifake_optim::{AdamW, Group, Moments, Rounding};
use cifake_training::Layout;

use attack::{attacked, distance};

pub use attack::Embed;
pub use config::FareConfig;
pub use recipe::FareRecipe;
pub use run::{FareEvent, FareRow, FareRun};

/// A training run of the encoder `M`.
#[derive(Debug, Clone)]
pub struct Fare<M> {
    config: FareConfig,
    embed: Embed<M>,
    original: M,
    model: M,
    layout: Layout,
    weights: Vec<f32>,
    moments: Moments,
}

/// The state of a run, as vectors of one length, in the order of the module's weights.
#[derive(Debug, Clone, PartialEq)]
pub struct FareState {
    /// The weights.
    pub weights: Vec<f32>,
    /// The optimizer's averages, and the steps that were taken.
    pub moments: Moments,
}

impl<M: Module> Fare<M> {
    /// A run that begins with `model`, whose present embeddings are the targets.
    #[must_use]
    pub fn new(model: &M, embed: Embed<M>, config: FareConfig) -> Self {
        let original = model.valid();
        let layout = Layout::of(&original);
        let weights = layout.read(&original);
        let moments = Moments::new(weights.len());
        Self { config, embed, model: original.clone(), original, layout, weights, moments }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &FareConfig {
        &self.config
    }

    /// The encoder as it is now.
    #[must_use]
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Length of the vectors of a [`FareState`].
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.weights.len()
    }

    /// Steps that were taken.
    #[must_use]
    pub fn n_taken(&self) -> usize {
        self.moments.step
    }

    /// The run's present state.
    #[must_use]
    pub fn state(&self) -> FareState {
        FareState { weights: self.weights.clone(), moments: self.moments.clone() }
    }

    /// Goes on from `state`, `None` where it is of another encoder.
    #[must_use]
    pub fn resumed(mut self, state: FareState) -> Option<Self> {
        let FareState { weights, moments } = state;
        let lens = [weights.len(), moments.first.len(), moments.second.len()];
        if lens != [self.weights.len(); 3] {
            return None;
        }
        self.model = self.layout.write(self.model, &weights);
        (self.weights, self.moments) = (weights, moments);
        Some(self)
    }

    /// One step on `images`, `[batch, 3, height, width]`, from a random start of the attack that depends on the
    /// configuration's seed, the number of the step and the picture's place. Returns the loss
    /// `mean ||f(x + d) - f0(x)||^2` before the step.
    pub fn step(&mut self, images: Tensor<4>) -> f64 {
        let start = self.start(&images, self.moments.step as u64);
        self.step_from(images, start)
    }

    /// A start of the attack on `images`, uniform in its ball: a function of the configuration's seed, of `draw` and
    /// of each picture's place.
    #[must_use]
    pub fn start(&self, images: &Tensor<4>, draw: u64) -> Tensor<4> {
        let [batch, channels, height, width] = images.dims();
        let (reach, seed) = (self.config.epsilon.value() as f32, self.config.seed);
        let of_one = |at| {
            let mut rng = SampleRng::new(seed.wrapping_add(draw), at as u64, 0);
            rng.uniform(channels * height * width, reach)
        };
        let values: Vec<f32> = (0..batch).flat_map(of_one).collect();
        let data = TensorData::new(values, [batch, channels, height, width]);
        Tensor::from_data(data, &images.device())
    }

    /// [`step`](Self::step) with the attack's first perturbation given, of the shape of `images`.
    pub fn step_from(&mut self, images: Tensor<4>, start: Tensor<4>) -> f64 {
        let targets = (self.embed)(&self.original, images.clone());
        let attacked = attacked(&self.model, self.embed, &self.config, [images, start], &targets);
        let tracked = self.model.clone().train();
        let embedding = (self.embed)(&tracked, Tensor::from_inner(attacked));
        let loss = distance(embedding, Tensor::from_inner(targets)).mean();
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradient = self.layout.gradients(&tracked, &loss.backward());
        let optimizer = AdamW {
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            clip_norm: 0.0,
            rounding: Rounding::Quotient,
        };
        let group = Group {
            range: 0..self.weights.len(),
            learning_rate: self.config.schedule().rate(self.moments.step),
            weight_decay: self.config.weight_decay,
        };
        optimizer.update(&mut self.moments, &[group], &mut self.weights, &gradient);
        self.model = self.layout.write(self.model.clone(), &self.weights);
        value
    }

    /// The loss on `images` without a step: of the pictures as they are, and under the attack from `start`.
    #[must_use]
    pub fn losses(&self, images: Tensor<4>, start: Tensor<4>) -> [f64; 2] {
        let targets = (self.embed)(&self.original, images.clone());
        let changed =
            attacked(&self.model, self.embed, &self.config, [images.clone(), start], &targets);
        [images, changed].map(|images| {
            let embedding = (self.embed)(&self.model, images);
            f64::from(distance(embedding, targets.clone()).mean().into_scalar::<f32>())
        })
    }
}
