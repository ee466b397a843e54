//! The block of pre-norm transformers, whatever its linear layers are.

use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

use crate::Activation;

/// A map of the last axis: a linear layer or a norm.
pub trait RowMap {
    /// Maps `x`, `[..., d_input]`, to `[..., d_output]`.
    fn map_rows<const D: usize>(&self, x: Tensor<D>) -> Tensor<D>;
}

impl<M: RowMap> RowMap for &M {
    fn map_rows<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        (**self).map_rows(x)
    }
}

impl RowMap for Linear {
    fn map_rows<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        cifake_kernels::linear(x, self.weight.val(), bias)
    }
}

/// A layer norm of burn with the number that is added to its variance, which burn keeps to itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm<'a> {
    pub(crate) layer: &'a LayerNorm,
    pub(crate) epsilon: f64,
}

impl RowMap for Norm<'_> {
    fn map_rows<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let gamma = self.layer.gamma.val();
        let beta = self.layer.beta.as_ref().map(|beta| beta.val());
        let beta = beta.unwrap_or_else(|| gamma.zeros_like());
        cifake_kernels::layer_norm(x, gamma, beta, self.epsilon)
    }
}

/// The layers of a pre-norm block, without those of its attention:
/// `x + s1 attention(norm1 x)`, then `x + s2 mlp(norm2 x)`.
#[derive(Debug, Clone)]
pub struct PreNorm<N, L, const D: usize> {
    /// The norms before attention and before the MLP.
    pub norms: [N; 2],
    /// The first and the second layer of the MLP.
    pub mlp: [L; 2],
    /// Stands between the layers of the MLP.
    pub activation: Activation,
    /// Factors of both branches, of any shape that broadcasts to theirs: LayerScale (Touvron et al. 2021,
    /// arXiv 2103.17239), or masks of stochastic depth. `None` is 1.
    pub scales: [Option<Tensor<D>>; 2],
}

impl<N: RowMap, L: RowMap, const D: usize> PreNorm<N, L, D> {
    /// The block's output for `x`, `[..., tokens, dim]`, with the given `attention` among normalized tokens.
    #[must_use]
    pub fn forward(
        self,
        x: Tensor<D>,
        attention: impl FnOnce(Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        let Self { norms: [norm1, norm2], mlp: [fc1, fc2], activation, scales } = self;
        let [scale1, scale2] = scales;
        let x = x.clone() + scaled(attention(norm1.map_rows(x)), scale1);
        let inner = activation.forward(fc1.map_rows(norm2.map_rows(x.clone())));
        x + scaled(fc2.map_rows(inner), scale2)
    }
}

fn scaled<const D: usize>(branch: Tensor<D>, scale: Option<Tensor<D>>) -> Tensor<D> {
    match scale {
        Some(scale) => branch * scale,
        None => branch,
    }
}
