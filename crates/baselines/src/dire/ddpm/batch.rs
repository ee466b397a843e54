//! Noised pictures and their noise; every draw is a function of the seed, the epoch and the picture.

use burn::tensor::{Device, Tensor, TensorData};
use cifake_training::Examples;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The stream of the order of an epoch: no picture has this number.
const ORDER: u32 = u32::MAX;

/// The generator of one picture in one epoch.
fn generator(seed: u64, epoch: usize, picture: u32) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((epoch as u64) << 32 | u64::from(picture));
    rng
}

/// The order in which an epoch visits `n_pictures` pictures.
pub(super) fn order(n_pictures: usize, seed: u64, epoch: usize) -> Vec<usize> {
    cifake_optim::epoch_order(n_pictures, generator(seed, epoch, ORDER).random())
}

/// `n` values of the normal distribution, drawn from `rng`.
fn normal(n: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..n).map(|_| StandardNormal.sample(rng)).collect()
}

/// Noise of `shape` that is a function of `seed`.
pub(super) fn noise(shape: [usize; 4], seed: u64, device: &Device) -> Tensor<4> {
    let values = normal(shape.iter().product(), &mut ChaCha8Rng::seed_from_u64(seed));
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The draws of an epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws<'a> {
    /// Root of all draws.
    pub(super) seed: u64,
    /// The epoch.
    pub(super) epoch: usize,
    /// Whether half of the pictures are mirrored.
    pub(super) flip: bool,
    /// The share of the picture in the variance at each step.
    pub(super) levels: &'a [f64],
}

/// Noised pictures, and what a network should find in them.
pub(super) struct Batch {
    /// `[batch, 3, side, side]`.
    noised: Tensor<4>,
    /// Of the same shape.
    noise: Tensor<4>,
    /// Steps of the diffusion, one a picture.
    times: Vec<f64>,
}

impl Batch {
    /// The pictures `samples` of `examples`.
    pub(super) fn draw(
        examples: &Examples,
        samples: &[usize],
        draws: Draws<'_>,
        device: &Device,
    ) -> Self {
        let (side, mut times) = (examples.side(), Vec::with_capacity(samples.len()));
        let [mut noised, mut noises] = [Vec::new(), Vec::new()];
        for &sample in samples {
            let picture = u32::try_from(sample).expect("pictures in memory are fewer than 2^32");
            let mut rng = generator(draws.seed, draws.epoch, picture);
            let flips = draws.flip && rng.random();
            let time = rng.random_range(0..draws.levels.len());
            let level = draws.levels[time];
            let noise = normal(3 * side * side, &mut rng);
            let (kept, lost) = (level.sqrt() as f32, (1.0 - level).sqrt() as f32);
            let clean = planes(examples.pixels(sample), side, flips);
            noised.extend(clean.zip(&noise).map(|(pixel, noise)| kept * pixel + lost * noise));
            noises.extend(noise);
            times.push(time as f64);
        }
        let tensor = |values: Vec<f32>| {
            Tensor::from_data(TensorData::new(values, [samples.len(), 3, side, side]), device)
        };
        Self { noised: tensor(noised), noise: tensor(noises), times }
    }

    /// The mean squared error of what `predict` finds; `lift` brings tensors to the device of the network.
    pub(super) fn loss(
        self,
        lift: fn(Tensor<4>) -> Tensor<4>,
        predict: impl FnOnce(Tensor<4>, &[f64]) -> Tensor<4>,
    ) -> Tensor<1> {
        let found = predict(lift(self.noised), &self.times);
        (found - lift(self.noise)).square().mean()
    }
}

/// Interleaved bytes as planes in `[-1, 1]`, mirrored left to right if `flips`.
fn planes(rgb: &[u8], side: usize, flips: bool) -> impl Iterator<Item = f32> + '_ {
    let place = move |idx: usize| {
        let (channel, pixel) = (idx / (side * side), idx % (side * side));
        let (y, x) = (pixel / side, pixel % side);
        let x = if flips { side - 1 - x } else { x };
        3 * (y * side + x) + channel
    };
    (0..rgb.len()).map(move |idx| f32::from(rgb[place(idx)]) / 127.5 - 1.0)
}

#[cfg(test)]
mod tests {
    use cifake::Label;

    use super::*;

    fn examples() -> Examples {
        let pixels = (0..2 * 3 * 16).map(|idx| (idx * 5 % 256) as u8).collect();
        Examples::new(pixels, vec![Label::Real; 2], 4).expect("two pictures of 4x4")
    }

    fn batch(epoch: usize, levels: &[f64]) -> Batch {
        let draws = Draws { seed: 7, epoch, flip: true, levels };
        Batch::draw(&examples(), &[1, 0], draws, &Device::flex())
    }

    #[test]
    fn planes_are_those_of_the_pixels_and_may_be_mirrored() {
        let rgb: Vec<u8> = (0..12).collect();
        let values = |flips| planes(&rgb, 2, flips).map(|v| ((v + 1.0) * 127.5).round() as u8);
        assert_eq!(values(false).collect::<Vec<_>>(), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
        assert_eq!(values(true).collect::<Vec<_>>(), [3, 0, 9, 6, 4, 1, 10, 7, 5, 2, 11, 8]);
    }

    #[test]
    fn draws_follow_the_epoch_and_repeat() {
        let values = |epoch| batch(epoch, &[0.5, 0.1]).noise.into_data();
        values(3).assert_eq(&values(3), true);
        assert_ne!(values(3), values(4));
        assert_eq!(order(9, 1, 0), order(9, 1, 0));
        assert_ne!(order(9, 1, 0), order(9, 1, 1));
        assert_ne!(order(9, 1, 0), order(9, 2, 0));
    }

    #[test]
    fn a_network_that_finds_the_noise_has_no_loss() {
        let known = batch(0, &[0.25]).noise;
        let loss = batch(0, &[0.25]).loss(|x| x, |_, _| known.clone()).into_scalar::<f32>();
        assert_eq!(loss, 0.0);
        // All of the picture and nothing of the noise.
        let whole = batch(0, &[1.0]);
        let levels = (whole.noised + 1.0) * 127.5;
        let off = (levels.clone() - levels.round()).abs().max().into_scalar::<f32>();
        assert!(off < 1e-4, "{off}");
        let none = batch(0, &[0.0]);
        let rest = (none.noised - none.noise).abs().max().into_scalar::<f32>();
        assert_eq!(rest, 0.0);
    }
}
