//! Deterministic diffusion both ways (DDIM, Song et al. 2021, arXiv 2010.02502) over a respaced schedule.

use std::error::Error;
use std::fmt;

use burn::tensor::Tensor;

/// The longest schedule that was published (Nichol and Dhariwal 2021, arXiv 2102.09672).
const MAX_LEARNED: usize = 4000;

/// Why no diffusion has these steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffusionError {
    /// The network learned fewer than 2 steps or more than 4000.
    Learned(usize),
    /// No step, more steps than the network learned, or a number that no whole stride takes of them.
    Steps {
        /// Steps to take.
        steps: usize,
        /// Steps that the network learned.
        learned: usize,
    },
}

impl fmt::Display for DiffusionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learned(learned) => {
                write!(f, "a network learns 2 to {MAX_LEARNED} steps, not {learned}")
            }
            Self::Steps { steps, learned } => {
                write!(
                    f,
                    "a diffusion takes 1 to {learned} of the {learned} steps that its network learned, by \
                     a whole stride; {steps} is no such number"
                )
            }
        }
    }
}

impl Error for DiffusionError {}

/// The steps of a diffusion, the least noisy first.
///
/// Against the schedulers of diffusers: the reconstruction is that of `DDIMScheduler` with leading
/// spacing, no offset of the steps, `set_alpha_to_one`, and the clipped picture used for the noise. The
/// inversion differs from `DDIMInverseScheduler`. That one takes each picture to be one step less noisy
/// than the time that the network reads; guided-diffusion, as here, takes both at the same step.
#[derive(Debug, Clone, PartialEq)]
pub struct Diffusion {
    /// Step of those that the network learned, and the share of the picture in the variance.
    steps: Vec<(f64, f64)>,
}

impl Diffusion {
    /// `n_steps` of `learned` steps with variances on a line (Ho et al. 2020, arXiv 2006.11239), by the
    /// smallest whole stride that gives so many: `ddimN` of guided-diffusion.
    ///
    /// # Errors
    ///
    /// [`DiffusionError`].
    pub fn linear(learned: usize, n_steps: usize) -> Result<Self, DiffusionError> {
        if !(2..=MAX_LEARNED).contains(&learned) {
            return Err(DiffusionError::Learned(learned));
        }
        let stride = (1..learned).find(|&stride| learned.div_ceil(stride) == n_steps);
        let stride = stride.ok_or(DiffusionError::Steps { steps: n_steps, learned })?;
        let scale = 1000.0 / learned as f64;
        let (first, last) = ((scale * 1e-4).min(0.999), (scale * 0.02).min(0.999));
        let mut picture = 1.0;
        let level = |step: usize| {
            picture *= 1.0 - (first + (last - first) * step as f64 / (learned - 1) as f64);
            (step as f64, picture)
        };
        Ok(Self { steps: (0..learned).map(level).step_by(stride).collect() })
    }

    /// Steps that the network learned and this diffusion takes, the least noisy first.
    pub fn times(&self) -> impl Iterator<Item = f64> {
        self.steps.iter().map(|&(time, _)| time)
    }

    /// The share of the picture in the variance at each of [`times`](Self::times).
    pub fn levels(&self) -> impl Iterator<Item = f64> {
        self.steps.iter().map(|&(_, level)| level)
    }

    /// From pictures in `[-1, 1]` to noise of the same shape. `noise` answers for a picture and a time,
    /// as [`UNet::forward`](super::UNet::forward), with as many channels as the picture.
    ///
    /// The last step keeps nothing of the picture, as in guided-diffusion.
    pub fn invert(
        &self,
        x: Tensor<4>,
        mut noise: impl FnMut(Tensor<4>, f64) -> Tensor<4>,
    ) -> Tensor<4> {
        let after = self.steps.iter().skip(1).map(|&(_, level)| level).chain([0.0]);
        self.steps.iter().zip(after).fold(x, |x, (&at, to)| step(x, at, to, &mut noise))
    }

    /// From noise to pictures in `[-1, 1]`; `noise` as of [`invert`](Self::invert).
    pub fn reconstruct(
        &self,
        x: Tensor<4>,
        mut noise: impl FnMut(Tensor<4>, f64) -> Tensor<4>,
    ) -> Tensor<4> {
        let before = [1.0].into_iter().chain(self.steps.iter().map(|&(_, level)| level));
        let steps: Vec<_> = self.steps.iter().zip(before).collect();
        steps.into_iter().rev().fold(x, |x, (&at, to)| step(x, at, to, &mut noise))
    }
}

/// One step from the level of `at` to the level `to`; the clean picture is clipped to `[-1, 1]`.
fn step(
    x: Tensor<4>,
    (time, level): (f64, f64),
    to: f64,
    noise: &mut impl FnMut(Tensor<4>, f64) -> Tensor<4>,
) -> Tensor<4> {
    let (kept, lost) = (level.sqrt(), (1.0 - level).sqrt());
    let clean = ((x.clone() - noise(x.clone(), time) * lost) / kept).clamp(-1.0, 1.0);
    let error = (x - clean.clone() * kept) / lost;
    clean * to.sqrt() + error * (1.0 - to).sqrt()
}

/// DIRE: the difference of `images` and `reconstructed`, both in `[-1, 1]`, as pixels in `[0, 1]` that are
/// whole multiples of 1/255, rounded down.
///
/// Rounding passes gradients straight through (BPDA; Athalye et al. 2018, arXiv 1802.00420).
#[must_use]
pub fn residue(images: Tensor<4>, reconstructed: Tensor<4>) -> Tensor<4> {
    let levels = ((images - reconstructed).abs() * (255.0 / 2.0)).clamp(0.0, 255.0);
    let exact = levels.clone().detach();
    let lost = exact.clone() - exact.floor();
    (levels - lost) / 255.0
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn twenty_steps_of_a_thousand_begin_at_0_and_end_at_950() {
        let times: Vec<f64> =
            Diffusion::linear(1000, 20).expect("a stride of 50").times().collect();
        assert_eq!((times.len(), times[0], times[1], times[19]), (20, 0.0, 50.0, 950.0));
    }

    #[test]
    fn steps_without_a_whole_stride_are_refused() {
        let refused =
            |learned, n_steps| Diffusion::linear(learned, n_steps).expect_err("no stride");
        assert_eq!(refused(1000, 999), DiffusionError::Steps { steps: 999, learned: 1000 });
        assert_eq!(refused(1000, 0), DiffusionError::Steps { steps: 0, learned: 1000 });
        assert_eq!(refused(1000, 1001), DiffusionError::Steps { steps: 1001, learned: 1000 });
        assert!(refused(1000, 1001).to_string().contains("takes 1 to 1000 of"));
        assert_eq!(refused(1, 1), DiffusionError::Learned(1));
        // Each step is a run of the network: a file may not ask for a million.
        assert_eq!(refused(4001, 4001), DiffusionError::Learned(4001));
        assert!(refused(1_000_000, 20).to_string().contains("2 to 4000 steps"));
        assert!(Diffusion::linear(4000, 4000).is_ok());
    }

    #[test]
    fn a_residue_is_rounded_down_to_eight_bits() {
        let pixels = |values: [f32; 4]| {
            Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 1, 2, 2])
        };
        let found = residue(pixels([1.0, 0.0, 0.5, -1.0]), pixels([-1.0, 0.0, 0.51, 1.0]));
        let found: Vec<f32> = (found * 255.0).into_data().try_to_vec().expect("of f32");
        assert_eq!(found, [255.0, 0.0, 1.0, 255.0]);
    }
}
