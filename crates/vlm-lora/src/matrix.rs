//! Weight matrices and how they are stored.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::Storage;

/// A weight matrix `[out, in]` and how it is stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Matrix {
    /// Single precision.
    F32(Tensor<2>),
}

impl Matrix {
    /// A matrix of `values`, row by row, kept in `storage`.
    ///
    /// # Panics
    /// If the number of values is not that of `shape`.
    #[must_use]
    pub fn new(values: Vec<f32>, shape: [usize; 2], _storage: Storage, device: &Device) -> Self {
        assert_eq!(values.len(), shape[0] * shape[1], "one value an element");
        Self::F32(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// `x Wᵀ`: `x` is `[..., in]`, the result `[..., out]`.
    #[must_use]
    pub fn product<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32(weight) => cifake_kernels::linear_t(x, weight.clone(), None),
        }
    }

    /// The rows at `indices`, `[indices, in]`: what an embedding looks up.
    ///
    /// # Panics
    /// If an index is not below the number of rows.
    #[must_use]
    pub fn rows(&self, indices: &[u32]) -> Tensor<2> {
        match self {
            Self::F32(weight) => {
                let indices: Vec<i64> = indices.iter().map(|&index| i64::from(index)).collect();
                let len = indices.len();
                let indices =
                    Tensor::<1, Int>::from_data(TensorData::new(indices, [len]), &weight.device());
                weight.clone().select(0, indices)
            }
        }
    }

    /// All elements, single precision.
    #[must_use]
    pub fn to_tensor(&self) -> Tensor<2> {
        match self {
            Self::F32(weight) => weight.clone(),
        }
    }

    /// Bytes that the elements take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::F32(weight) => 4 * weight.shape().num_elements(),
        }
    }

    /// `[out, in]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        match self {
            Self::F32(weight) => weight.dims(),
        }
    }
}
