//! The batch of a step and its loss.

use burn::tensor::{Device, Tensor, TensorData};
use cifake::Label;
use cifake_attacks::{Attack, Pgd, Samples, TargetModel};
use rand::Rng;
use rayon::prelude::*;

use crate::augment::sample_rng;
use crate::config::TrainConfig;
use crate::examples::Examples;
use crate::loss::{cross_entropy, distillation, divergence};
use crate::network::Evaluated;
use crate::teacher::Teacher;
use crate::{Network, TrainError};

/// Purpose of the seeds of dropout and stochastic depth, apart from the other draws.
const NETWORK: u64 = 2;
/// Purpose of the seed of an epoch's attacks.
const ATTACK: u64 = 3;

/// The augmented pictures of a step.
pub(crate) struct Batch {
    /// `[batch, 3, side, side]` in `[0, 1]`.
    images: Tensor<4>,
    /// Probability of FAKE of each.
    targets: Vec<f32>,
    /// Their indices among the examples.
    samples: Vec<usize>,
    epoch: usize,
}

impl Batch {
    pub(crate) fn draw(
        config: &TrainConfig,
        examples: &Examples,
        samples: &[usize],
        epoch: usize,
        device: &Device,
    ) -> Self {
        let draw = |&sample: &usize| config.augment.draw(examples, config.seed, epoch, sample);
        let drawn: Vec<_> = samples.par_iter().map(draw).collect();
        let pixels: Vec<f32> = drawn.iter().flat_map(|d| d.pixels.iter().copied()).collect();
        let side = examples.side();
        let data = TensorData::new(pixels, [samples.len(), 3, side, side]);
        Self {
            images: Tensor::from_data(data, device),
            targets: drawn.iter().map(|d| d.target).collect(),
            samples: samples.to_vec(),
            epoch,
        }
    }

    /// The first `n` pictures, perturbed by `attack` on `model` in evaluation mode.
    fn attacked<N: Network>(
        &self,
        n: usize,
        attack: &Pgd,
        model: &N,
        seed: u64,
    ) -> Result<Tensor<4>, TrainError> {
        let label = |&target: &f32| if target > 0.5 { Label::Fake } else { Label::Real };
        let samples = Samples::new(
            self.images.clone().narrow(0, 0, n),
            self.targets[..n].iter().map(label).collect(),
            self.samples[..n].iter().map(|&sample| sample as u64).collect(),
        );
        let seed = sample_rng(seed, self.epoch, 0, ATTACK).next_u64();
        let model = Evaluated::new(model);
        Ok(attack.perturb(&TargetModel::new(&model), &samples, seed)?.images)
    }

    /// The loss of `model` in training mode: of the perturbed pictures where there is an `attack`, and
    /// with the distillation loss where there is a `teacher`.
    pub(crate) fn loss<N: Network>(
        self,
        model: &N,
        model_config: &N::Config,
        config: &TrainConfig,
        attack: Option<&Pgd>,
        teacher: Option<&Teacher>,
    ) -> Result<Tensor<1>, TrainError> {
        let seed =
            |&sample: &usize| sample_rng(config.seed, self.epoch, sample, NETWORK).next_u64();
        let seeds: Vec<u64> = self.samples.iter().map(seed).collect();
        let scores = |images: Tensor<4>, seeds: &[u64]| {
            model.scores_in_training(model_config, Tensor::from_inner(images), seeds)
        };
        let taught = config.teacher.as_ref().zip(teacher);
        let taught = taught.map(|(how, teacher)| (how, teacher.logits(&self.images)));
        let entropy = |scores: Tensor<2>| {
            let told = cross_entropy(scores.clone(), &self.targets, config.label_smoothing);
            let Some((how, logits)) = &taught else { return told };
            let logits = Tensor::from_inner(logits.clone());
            told * (1.0 - how.weight) + distillation(logits, scores, how.temperature) * how.weight
        };
        let Some((adversary, attack)) = config.adversary.as_ref().zip(attack) else {
            return Ok(entropy(scores(self.images, &seeds)));
        };
        let len = self.samples.len();
        let n_attacked = adversary.n_attacked(len);
        let attacked = self.attacked(n_attacked, attack, model, config.seed)?;
        if adversary.trades > 0.0 {
            let both = Tensor::cat(vec![self.images.clone(), attacked], 0);
            let both = scores(both, &seeds.repeat(2));
            let n_scores = both.dims()[1];
            let half = |i: usize| both.clone().slice([i * len..(i + 1) * len, 0..n_scores]);
            let [clean, attacked] = [half(0), half(1)];
            return Ok(entropy(clean.clone()) + divergence(clean, attacked) * adversary.trades);
        }
        let n_clean = len - n_attacked;
        let pictures = match n_clean {
            0 => attacked,
            _ => Tensor::cat(vec![attacked, self.images.narrow(0, n_attacked, n_clean)], 0),
        };
        Ok(entropy(scores(pictures, &seeds)))
    }
}
