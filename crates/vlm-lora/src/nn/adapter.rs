//! The parts of attached adapters in one linear layer.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use cifake_kernels::{linear_t, text};

use crate::peft::{LoraConfig, Naming};
use crate::source::Matrix;

/// The settings that all layers of an adapter share.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) config: LoraConfig,
    pub(crate) naming: Naming,
    pub(crate) tower: Option<String>,
}

/// One adapter's part in one layer.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) header: Arc<Header>,
    pub(crate) active: bool,
    pub(crate) change: Change,
    /// Seed of what is left out, in training.
    pub(crate) dropout_seed: Option<u64>,
}

/// The change of a layer.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// `scale` `x Aᵀ Bᵀ` is added: `a` is `[r, in]`, `b` `[out, r]`.
    LowRank { a: Tensor<2>, b: Tensor<2>, scale: f64 },
    /// The layer's weights are replaced.
    Whole { weight: Tensor<2>, bias: Option<Tensor<1>> },
}

/// The frozen weights of a layer while merged ones stand in their place.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) weight: Matrix,
    pub(crate) bias: Option<Tensor<1>>,
}

/// The adapters of one layer, in the order in which they were attached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attachments {
    pub(crate) list: Vec<Attached>,
    pub(crate) kept: Option<Kept>,
}

impl Attachments {
    /// Those that change the layer's output: active ones that are not merged into the weights.
    pub(crate) fn effective(&self) -> impl Iterator<Item = &Attached> {
        let merged = self.kept.is_some();
        self.list.iter().filter(move |attached| attached.active && !merged)
    }

    /// The weights that take the place of the layer's own.
    pub(crate) fn whole(&self) -> Option<(&Tensor<2>, Option<&Tensor<1>>)> {
        self.effective().find_map(|attached| match &attached.change {
            Change::Whole { weight, bias } => Some((weight, bias.as_ref())),
            Change::LowRank { .. } => None,
        })
    }

    /// The addition to the layer's output for `x`, `[..., in]`; `None` if nothing is added.
    pub(crate) fn delta<const D: usize>(&self, x: &Tensor<D>) -> Option<Tensor<D>> {
        let deltas = self.effective().filter_map(|attached| attached.delta(x.clone()));
        deltas.reduce(|sum, delta| sum + delta)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Attached> {
        self.list.iter().find(|attached| attached.header.name == name)
    }
}

impl Attached {
    /// Bytes of its weights.
    pub(crate) fn bytes(&self) -> u64 {
        let n_elements = match &self.change {
            Change::LowRank { a, b, .. } => a.shape().num_elements() + b.shape().num_elements(),
            Change::Whole { weight, bias } => {
                let bias = bias.as_ref().map_or(0, |bias| bias.shape().num_elements());
                weight.shape().num_elements() + bias
            }
        };
        4 * n_elements as u64
    }

    fn delta<const D: usize>(&self, x: Tensor<D>) -> Option<Tensor<D>> {
        let Change::LowRank { a, b, scale } = &self.change else { return None };
        let share = self.header.config.lora_dropout;
        let x = match self.dropout_seed {
            Some(seed) if share > 0.0 => dropout(x, share, seed),
            _ => x,
        };
        Some(product(product(x, a), b) * *scale)
    }
}

/// `x Wᵀ`, where nothing is differentiated by the way that suits few rows.
fn product<const D: usize>(x: Tensor<D>, weight: &Tensor<2>) -> Tensor<D> {
    match text::is_plain(weight) {
        true => Matrix::F32(weight.clone()).product(x),
        false => linear_t(x, weight.clone(), None),
    }
}

/// `x` with a `share` of its elements at 0 and the others larger by `1 / (1 - share)`. The choice
/// is a function of `seed` and of each element's place.
fn dropout<const D: usize>(x: Tensor<D>, share: f64, seed: u64) -> Tensor<D> {
    let shape = x.shape();
    let limit = (share * f64::from(u16::MAX)) as u16;
    let keep = (1.0 / (1.0 - share)) as f32;
    let mut factors = Vec::with_capacity(shape.num_elements() + 3);
    let mut state = seed;
    while factors.len() < shape.num_elements() {
        let mut bits = split_mix(&mut state);
        for _ in 0..4 {
            factors.push(if (bits as u16) < limit { 0.0 } else { keep });
            bits >>= 16;
        }
    }
    factors.truncate(shape.num_elements());
    let mask = Tensor::from_data(TensorData::new(factors, shape), &x.device().inner());
    x * mask
}

/// The next number of SplitMix64 (Steele, Lea and Flood 2014): quick, and even enough to leave out by.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn dropout_keeps_the_mean_and_repeats_by_its_seed() {
        let x = Tensor::<2>::ones([100, 101], &Device::flex());
        let dropped = dropout(x.clone(), 0.25, 7);
        let mean = dropped.clone().mean().into_scalar::<f32>();
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert_eq!(dropped.to_data(), dropout(x.clone(), 0.25, 7).to_data());
        assert_ne!(dropped.to_data(), dropout(x, 0.25, 8).to_data());
    }
}
