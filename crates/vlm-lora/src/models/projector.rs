//! The projector of LLaVA-1.5: from features of a vision tower to vectors of a decoder.

use burn::tensor::Tensor;

use crate::error::Error;
use crate::nn::{Linear, LoraTargets};
use crate::source::WeightSource;

/// Two linear layers with a GELU between them.
#[derive(Debug, Clone)]
pub struct Projector {
    linear_1: Linear,
    linear_2: Linear,
}

impl Projector {
    /// Path of the projector, which `modules_to_save` of its adapter names.
    pub const PATH: &str = "multi_modal_projector";

    /// A projector from `d_vision` to `d_model` channels with the weights `multi_modal_projector.linear_1`
    /// and `.linear_2`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        weights: &mut dyn WeightSource,
        d_vision: usize,
        d_model: usize,
    ) -> Result<Self, Error> {
        let mut layer = |name: &str, shape| {
            Linear::new(weights, &format!("{}.{name}", Self::PATH), shape, true)
        };
        let linear_1 = layer("linear_1", [d_vision, d_model])?;
        let linear_2 = layer("linear_2", [d_model, d_model])?;
        Ok(Self { linear_1, linear_2 })
    }

    /// The decoder's vectors, `[batch, tokens, d_model]`, of `features`, `[batch, tokens, d_vision]`.
    #[must_use]
    pub fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        self.linear_2.forward(cifake_kernels::gelu(self.linear_1.forward(features)))
    }
}

impl LoraTargets for Projector {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        visit(&mut self.linear_1);
        visit(&mut self.linear_2);
    }
}
