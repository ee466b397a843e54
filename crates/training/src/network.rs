//! The networks that can be trained.

use std::fmt::Debug;

use burn::tensor::{Device, Tensor};
use cifake::weights::Configured;
use cifake::{Classifier, Differentiable, class_scores};

/// A network that a [`Trainer`](crate::Trainer) trains.
pub trait Network: Configured<Config: Clone + Debug + PartialEq> + Sync {
    /// Names of the configurations that a recipe can start from.
    const PRESETS: &'static [&'static str];

    /// The configuration called `name`, if it is one of [`PRESETS`](Self::PRESETS).
    fn preset(name: &str) -> Option<Self::Config>;

    /// Scores that a network of `config` answers for a picture; a detector has 1 or 2.
    fn n_outputs(config: &Self::Config) -> usize;

    /// A network of a valid `config` with weights drawn from `seed`.
    fn draw(config: &Self::Config, seed: u64, device: &Device) -> Self;

    /// Scores, of a network in evaluation mode where they are to be used: `[batch, 1]` of FAKE, or
    /// `[batch, 2]` of REAL and FAKE.
    ///
    /// `images` are `[batch, 3, side, side]`, RGB, in `[0, 1]`.
    fn scores(&self, images: Tensor<4>) -> Tensor<2>;

    /// As [`scores`](Self::scores), in training: norms use the statistics of the batch, and dropout
    /// or stochastic depth is drawn from `seeds`, one a picture.
    fn scores_in_training(
        &self,
        config: &Self::Config,
        images: Tensor<4>,
        seeds: &[u64],
    ) -> Tensor<2>;

    /// A faster form of a network with one or two outputs, in evaluation mode on `device`, if there is
    /// one. Its logits are the same, rounding aside.
    fn compiled(&self, _config: &Self::Config, _device: &Device) -> Option<Compiled> {
        None
    }
}

/// A network in a form for inference alone.
pub type Compiled = Box<dyn Classifier + Send + Sync>;

/// A network in evaluation mode, as a classifier for attacks.
///
/// A network is in training mode after it was built or loaded: its norms would follow the batch, and
/// every call would change them.
#[derive(Debug, Clone)]
pub struct Evaluated<N>(N);

impl<N: Network> Evaluated<N> {
    /// `network` in evaluation mode.
    #[must_use]
    pub fn new(network: &N) -> Self {
        Self(network.valid())
    }
}

impl<N: Network> Classifier for Evaluated<N> {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        class_scores(self.0.scores(images))
    }
}

impl<N: Network> Differentiable for Evaluated<N> {}
