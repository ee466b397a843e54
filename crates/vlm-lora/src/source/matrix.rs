//! Weight matrices and how they are stored.

use burn::tensor::{Device, Int, Tensor, TensorData};
use cifake_kernels::quantized::{self, Format, QuantizedMatrix};
use cifake_kernels::{linear_t, text};

use super::format::WeightFormat;

/// Rows up to which a product reads a weight of single precision where it lies instead of packing it.
const FEW: usize = 4;
/// Rows that are unpacked at once to be compared.
const COMPARED: usize = 256;

/// A weight matrix `[out, in]` and how it is stored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Matrix {
    /// Single precision.
    F32(Tensor<2>),
    /// Half precision or less, in the host's memory.
    Packed {
        /// The elements.
        weight: QuantizedMatrix,
        /// The device of the tensors of [`Matrix::to_tensor`].
        device: Device,
    },
}

impl Matrix {
    /// A matrix of `values`, row by row, kept in `format`.
    ///
    /// # Panics
    /// If the number of values is not that of `shape`, or there is none.
    #[must_use]
    pub fn new(values: Vec<f32>, shape: [usize; 2], format: WeightFormat, device: &Device) -> Self {
        assert_eq!(values.len(), shape[0] * shape[1], "one value an element");
        let format = match format {
            WeightFormat::F32 => {
                return Self::F32(Tensor::from_data(TensorData::new(values, shape), device));
            }
            WeightFormat::F16 => Format::F16,
            WeightFormat::Bf16 => Format::Bf16,
            WeightFormat::Int8 => Format::Int8,
            WeightFormat::Int4 => Format::Int4,
        };
        Self::packed(QuantizedMatrix::new(&values, shape, format), device)
    }

    /// A matrix that is packed already.
    #[must_use]
    pub fn packed(weight: QuantizedMatrix, device: &Device) -> Self {
        Self::Packed { weight, device: device.clone() }
    }

    /// `x Wᵀ`: `x` is `[..., in]`, the result `[..., out]`.
    #[must_use]
    pub fn product<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::F32(weight) => {
                let rows = x.shape().num_elements() / weight.dims()[1];
                if rows <= FEW && text::is_plain(&x) {
                    text::few_products(x, weight.clone())
                } else {
                    linear_t(x, weight.clone(), None)
                }
            }
            Self::Packed { weight, .. } => quantized::product(x, weight),
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
                let n_rows = weight.dims()[0];
                assert!(indices.iter().all(|&i| (i as usize) < n_rows), "a row of the matrix");
                let indices: Vec<i64> = indices.iter().map(|&index| i64::from(index)).collect();
                let len = indices.len();
                let indices =
                    Tensor::<1, Int>::from_data(TensorData::new(indices, [len]), &weight.device());
                weight.clone().select(0, indices)
            }
            Self::Packed { weight, device } => {
                let columns = weight.shape()[1];
                let mut values = vec![0.0; indices.len() * columns];
                for (&index, row) in indices.iter().zip(values.chunks_exact_mut(columns)) {
                    let index = index as usize;
                    weight.unpack_rows(index..index + 1, row);
                }
                Tensor::from_data(TensorData::new(values, [indices.len(), columns]), device)
            }
        }
    }

    /// All elements, single precision.
    #[must_use]
    pub fn to_tensor(&self) -> Tensor<2> {
        match self {
            Self::F32(weight) => weight.clone(),
            Self::Packed { weight, device } => {
                Tensor::from_data(TensorData::new(weight.to_vec(), weight.shape()), device)
            }
        }
    }

    /// Whether the elements are those of `other`, to the bit.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        if self.shape() != other.shape() {
            return false;
        }
        let indices: Vec<u32> = (0..self.shape()[0] as u32).collect();
        let bits = |matrix: &Self, some: &[u32]| {
            matrix.rows(some).into_data().iter::<f32>().map(f32::to_bits).collect::<Vec<_>>()
        };
        indices.chunks(COMPARED).all(|some| bits(self, some) == bits(other, some))
    }

    /// Whether it is what is kept of `values`, row by row, in its own format.
    pub(crate) fn keeps(&self, values: &TensorData) -> bool {
        let [n_rows, n_columns] = self.shape();
        if values.shape().to_vec() != [n_rows, n_columns] {
            return false;
        }
        let values: Vec<f32> = values.iter::<f32>().collect();
        match self {
            Self::F32(weight) => weight.to_data().iter::<f32>().eq(values),
            Self::Packed { weight, .. } => {
                QuantizedMatrix::new(&values, [n_rows, n_columns], weight.format()).to_vec()
                    == weight.to_vec()
            }
        }
    }

    /// Bytes that the elements take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::F32(weight) => 4 * weight.shape().num_elements(),
            Self::Packed { weight, .. } => weight.bytes(),
        }
    }

    /// `[out, in]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        match self {
            Self::F32(weight) => weight.dims(),
            Self::Packed { weight, .. } => weight.shape(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_storage_gives_the_rows_and_the_product_of_its_elements() {
        let device = Device::flex();
        let values: Vec<f32> = (0..5 * 64).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let x = |rows: usize| {
            let x = (0..rows * 64).map(|i| ((i * 13 % 31) as f32 - 15.0) / 15.0).collect();
            Tensor::<2>::from_data(TensorData::new::<f32, _>(x, [rows, 64]), &device)
        };
        let sizes =
            [(WeightFormat::F32, 4 * 320), (WeightFormat::F16, 640), (WeightFormat::Bf16, 640)];
        let narrow = [(WeightFormat::Int8, 320 + 20), (WeightFormat::Int4, 200)];
        for (format, bytes) in sizes.into_iter().chain(narrow) {
            let matrix = Matrix::new(values.clone(), [5, 64], format, &device);
            assert_eq!((matrix.shape(), matrix.bytes()), ([5, 64], bytes), "{format:?}");
            let all = matrix.to_tensor();
            let rows =
                Tensor::cat(vec![all.clone().narrow(0, 4, 1), all.clone().narrow(0, 1, 1)], 0);
            testkit::assert_close(&matrix.rows(&[4, 1]), &rows, 0.0, "rows");
            for n_rows in [1, 9] {
                let theirs = x(n_rows).matmul(all.clone().transpose());
                testkit::assert_close(&matrix.product(x(n_rows)), &theirs, 1e-5, "product");
            }
        }
    }
}
