//! Normalization of the last axis.

use burn::tensor::Tensor;
use cifake_vit::RowMap;

use crate::error::Error;
use crate::source::{WeightSource, tensor};

/// By what a row is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NormKind {
    /// Its root mean square; no bias.
    Rms,
    /// The same; the weight is kept as its difference from 1 (Gemma).
    RmsFromOne,
    /// Its standard deviation, after its mean was taken off; with a bias.
    Layer,
}

/// A normalization with its weights.
#[derive(Debug, Clone)]
pub struct Norm {
    weight: Tensor<1>,
    /// Of [`NormKind::Layer`].
    bias: Option<Tensor<1>>,
    epsilon: f64,
}

impl Norm {
    /// The norm at `path` over rows of `d_model` elements: `{path}.weight`, and of a layer norm
    /// `{path}.bias`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        weights: &mut dyn WeightSource,
        path: &str,
        d_model: usize,
        kind: NormKind,
        epsilon: f64,
    ) -> Result<Self, Error> {
        let weight = tensor(weights, &format!("{path}.weight"), [d_model])?;
        let bias = match kind {
            NormKind::Rms | NormKind::RmsFromOne => None,
            NormKind::Layer => Some(tensor(weights, &format!("{path}.bias"), [d_model])?),
        };
        let weight = if kind == NormKind::RmsFromOne { weight + 1.0 } else { weight };
        Ok(Self { weight, bias, epsilon })
    }

    /// Normalizes the rows of `x`, `[..., d_model]`.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.clone();
        match &self.bias {
            Some(bias) => cifake_kernels::layer_norm(x, weight, bias.clone(), self.epsilon),
            None if cifake_kernels::text::is_plain(&x) => {
                cifake_kernels::text::rms_norm(x, weight, self.epsilon)
            }
            None => {
                let mean = x.clone().square().mean_dim(D - 1);
                x / (mean + self.epsilon).sqrt() * weight.unsqueeze()
            }
        }
    }
}

impl RowMap for Norm {
    fn map_rows<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}
