//! Rows and values of tensors, for attacks that treat each sample by itself.

use burn::tensor::{Int, Tensor, TensorData};

/// The rows of `tensor` at `indices`, in this order.
///
/// # Panics
///
/// If an index is not below the number of rows.
#[must_use]
pub fn rows<const D: usize>(tensor: &Tensor<D>, indices: &[usize]) -> Tensor<D> {
    let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
    let len = indices.len();
    let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [len]), &tensor.device());
    tensor.clone().select(0, indices)
}

/// The values of `tensor` in row-major order.
#[must_use]
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.try_to_vec().expect("the data were converted to f32")
}

/// One value per row, `[values, 1, 1, 1]`, on the device of `like`: it broadcasts against
/// `[batch, channels, height, width]`.
#[must_use]
pub fn column(values: Vec<f32>, like: &Tensor<4>) -> Tensor<4> {
    let shape = [values.len(), 1, 1, 1];
    Tensor::from_data(TensorData::new(values, shape), &like.device())
}

/// The rows of `chosen` where `choose` holds, those of `other` elsewhere.
///
/// # Panics
///
/// If the three have different numbers of rows.
#[must_use]
pub fn choose_rows(choose: &[bool], chosen: Tensor<4>, other: Tensor<4>) -> Tensor<4> {
    if choose.iter().all(|&c| c) {
        return chosen;
    }
    if choose.iter().all(|&c| !c) {
        return other;
    }
    let flags = choose.iter().map(|&c| f32::from(u8::from(c))).collect();
    let mask = column(flags, &other).greater_elem(0.5).expand(other.dims());
    other.mask_where(mask, chosen)
}
