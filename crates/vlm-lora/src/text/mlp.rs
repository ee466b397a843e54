//! The kinds of MLP.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::{Tensor, activation};
use cifake_kernels::text;

use super::config::{MlpKind, TextConfig};
use crate::error::Error;
use crate::nn::{Linear, LoraTargets};
use crate::source::WeightSource;

/// An MLP of two or three linear layers.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one a layer")]
pub(super) enum Mlp {
    Gated { gate_proj: Linear, up_proj: Linear, down_proj: Linear, is_gelu: bool },
    GeluNew { fc1: Linear, fc2: Linear },
}

impl Mlp {
    pub(super) fn new(
        weights: &mut dyn WeightSource,
        path: &str,
        config: &TextConfig,
    ) -> Result<Self, Error> {
        let TextConfig { d_model, d_mlp, mlp_bias, .. } = *config;
        let mut linear = |name: &str, shape: [usize; 2]| {
            Linear::new(weights, &format!("{path}.{name}"), shape, mlp_bias)
        };
        Ok(match config.mlp {
            MlpKind::SwiGlu | MlpKind::GeGlu => Self::Gated {
                gate_proj: linear("gate_proj", [d_model, d_mlp])?,
                up_proj: linear("up_proj", [d_model, d_mlp])?,
                down_proj: linear("down_proj", [d_mlp, d_model])?,
                is_gelu: config.mlp == MlpKind::GeGlu,
            },
            MlpKind::GeluNew => Self::GeluNew {
                fc1: linear("fc1", [d_model, d_mlp])?,
                fc2: linear("fc2", [d_mlp, d_model])?,
            },
        })
    }

    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Gated { gate_proj, up_proj, down_proj, is_gelu } => {
                let gate = gate_proj.forward(x.clone());
                let up = up_proj.forward(x);
                down_proj.forward(match (text::is_plain(&gate), is_gelu) {
                    (true, true) => text::geglu(gate, up),
                    (true, false) => text::swiglu(gate, up),
                    (false, true) => gelu_new(gate) * up,
                    (false, false) => activation::silu(gate) * up,
                })
            }
            Self::GeluNew { fc1, fc2 } => fc2.forward(gelu_new(fc1.forward(x))),
        }
    }
}

/// `x / 2 (1 + tanh(sqrt(2 / π) (x + 0.044715 x³)))`, composed so that every device differentiates it.
fn gelu_new<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cubic = x.clone() + x.clone().powi_scalar(3) * 0.044_715;
    let tanh = (cubic * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2)).tanh();
    x * 0.5 * (tanh + 1.0)
}

impl LoraTargets for Mlp {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        match self {
            Self::Gated { gate_proj, up_proj, down_proj, .. } => {
                [gate_proj, up_proj, down_proj].into_iter().for_each(visit);
            }
            Self::GeluNew { fc1, fc2 } => [fc1, fc2].into_iter().for_each(visit),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn gelu_new_is_the_tanh_approximation() {
        let x = Tensor::<1>::from_floats([-3.0, -0.5, 0.0, 1.0, 4.0], &Device::flex());
        let theirs = activation::gelu_approximate(x.clone());
        testkit::assert_close(&gelu_new(x), &theirs, 1e-6, "gelu_new");
    }
}
