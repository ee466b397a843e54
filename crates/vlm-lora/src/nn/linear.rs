//! Linear layers with frozen weights, to which adapters attach.

use burn::tensor::Tensor;
use cifake_vit::RowMap;

use super::adapter::Attachments;
use crate::error::Error;
use crate::source::{Matrix, WeightSource, tensor};

/// `x Wᵀ + b`, plus what adapters add.
#[derive(Debug, Clone)]
pub struct Linear {
    path: String,
    weight: Matrix,
    bias: Option<Tensor<1>>,
    pub(crate) adapters: Attachments,
}

impl Linear {
    /// The layer at `path`: `{path}.weight`, `[d_output, d_input]`, and with `bias` `{path}.bias`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        weights: &mut dyn WeightSource,
        path: &str,
        [d_input, d_output]: [usize; 2],
        bias: bool,
    ) -> Result<Self, Error> {
        let weight = weights.matrix(&format!("{path}.weight"), [d_output, d_input])?;
        let bias = bias.then(|| tensor(weights, &format!("{path}.bias"), [d_output]));
        let (path, adapters) = (path.to_owned(), Attachments::default());
        Ok(Self { path, weight, bias: bias.transpose()?, adapters })
    }

    /// The layer at `path` with a `weight` that is another part's as well.
    pub(crate) fn shared(path: &str, weight: Matrix, bias: Option<Tensor<1>>) -> Self {
        let (path, adapters) = (path.to_owned(), Attachments::default());
        Self { path, weight, bias, adapters }
    }

    /// Maps `x`, `[..., d_input]`, to `[..., d_output]`.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let delta = self.adapters.delta(&x);
        let y = match self.adapters.whole() {
            Some((weight, bias)) => cifake_kernels::linear_t(x, weight.clone(), bias.cloned()),
            None => self.frozen(x),
        };
        match delta {
            Some(delta) => y + delta,
            None => y,
        }
    }

    /// `x Wᵀ + b` of the layer's own weights.
    fn frozen<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let y = self.weight.product(x);
        match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        }
    }

    /// The layer's path in its model, as the checkpoint calls it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The frozen weight.
    #[must_use]
    pub fn weight(&self) -> &Matrix {
        &self.weight
    }

    /// The frozen bias, `[d_output]`.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor<1>> {
        self.bias.as_ref()
    }

    /// Other weights of the same shapes: how adapters are merged and taken back.
    pub(crate) fn replace(&mut self, weight: Matrix, bias: Option<Tensor<1>>) {
        assert_eq!(weight.shape(), self.weight.shape(), "a weight of the layer's shape");
        (self.weight, self.bias) = (weight, bias);
    }

    /// Elements of a row of the input.
    #[must_use]
    pub fn d_input(&self) -> usize {
        self.weight.shape()[1]
    }

    /// Elements of a row of the output.
    #[must_use]
    pub fn d_output(&self) -> usize {
        self.weight.shape()[0]
    }
}

impl RowMap for Linear {
    fn map_rows<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward(x)
    }
}
