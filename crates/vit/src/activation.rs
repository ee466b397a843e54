//! Activations of vision transformers.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// The function between two linear layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Activation {
    /// `x Φ(x)`, exact: `gelu`.
    Gelu,
    /// Its tanh approximation: `gelu_pytorch_tanh`.
    #[serde(rename = "gelu_pytorch_tanh")]
    GeluTanh,
    /// `x σ(1.702 x)`: `quick_gelu`.
    QuickGelu,
}

/// An activation that is not built, by its upstream name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the activation `{0}` is not built; choose gelu, gelu_pytorch_tanh, gelu_new or quick_gelu"
)]
pub struct UnknownActivation(pub String);

impl FromStr for Activation {
    type Err = UnknownActivation;

    /// The activation that upstream calls `name`.
    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        match name {
            "gelu" => Ok(Self::Gelu),
            "gelu_pytorch_tanh" | "gelu_new" => Ok(Self::GeluTanh),
            "quick_gelu" => Ok(Self::QuickGelu),
            other => Err(UnknownActivation(other.to_owned())),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_pytorch_tanh",
            Self::QuickGelu => "quick_gelu",
        })
    }
}

impl Activation {
    /// Applies it to every element.
    #[must_use]
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Gelu => cifake_kernels::gelu(x),
            Self::GeluTanh => {
                let cubic = x.clone() * (x.clone().square() * 0.044_715 + 1.0);
                let cumulative = (cubic * (2.0 / std::f64::consts::PI).sqrt()).tanh() + 1.0;
                x * cumulative * 0.5
            }
            Self::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn values_are_pytorchs() {
        let x = Tensor::<1>::from_floats([-2.0, -0.5, 0.0, 1.0, 3.0], &Device::flex());
        for (name, theirs) in [
            ("gelu", [-0.045_500_3, -0.154_268_8, 0.0, 0.841_344_7, 2.995_949_7]),
            ("gelu_pytorch_tanh", [-0.045_402_3, -0.154_286, 0.0, 0.841_192, 2.996_362_7]),
            ("quick_gelu", [-0.064_341_4, -0.149_611_6, 0.0, 0.845_795_8, 2.981_928_8]),
        ] {
            let y = name.parse::<Activation>().expect("it is built");
            assert_eq!(y.to_string(), name);
            let y = y.forward(x.clone());
            testkit::assert_close(&y, &Tensor::from_floats(theirs, &Device::flex()), 1e-5, name);
        }
        assert!("relu".parse::<Activation>().is_err());
    }
}
