//! Flex tensors as plain slices, and back.

use burn::backend::{Bytes, DType, DispatchDevice, TensorMetadata};
use burn::tensor::{Shape, Tensor};
use burn_flex::{FlexTensor, Layout};
use rayon::prelude::*;

/// Whether `tensor` is a single-precision tensor of the flex backend, with or without autodiff.
pub(crate) fn is_fast<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32
        && matches!(tensor.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// `tensor` with its elements in row-major order and nothing else in its buffer.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// The elements of a tensor that [`contiguous`] returned.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.storage::<f32>()
}

/// A tensor of `values` in row-major order.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let shape = shape.into();
    debug_assert_eq!(values.len(), shape.num_elements());
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape), DType::F32)
}

/// A vector for results, its elements arbitrary: the caller writes every one before any is read.
///
/// Zeroing would be one more pass over memory for operations that are bound by it.
#[allow(clippy::uninit_vec)]
pub(crate) fn scratch(len: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    // SAFETY: the capacity is `len`, and every bit pattern is an `f32`. Callers overwrite all of it.
    unsafe { values.set_len(len) };
    values
}

/// Applies `update(block_idx, block)` to all blocks of `block_len` elements in parallel: in place
/// where nobody else holds the tensor, on a copy otherwise.
pub(crate) fn update_blocks(
    source: FlexTensor,
    block_len: usize,
    update: impl Fn(usize, &mut [f32]) + Sync,
) -> FlexTensor {
    let mut source = contiguous(source);
    if let Some(values) = source.try_storage_mut::<f32>() {
        values.par_chunks_mut(block_len).enumerate().for_each(|(i, block)| update(i, block));
        return source;
    }
    let from = values(&source);
    let mut out = scratch(from.len());
    out.par_chunks_mut(block_len).zip(from.par_chunks(block_len)).enumerate().for_each(
        |(i, (block, from))| {
            block.copy_from_slice(from);
            update(i, block);
        },
    );
    tensor(out, source.shape())
}

/// Adds `parts` element by element, in their order.
pub(crate) fn sum_parts(mut parts: Vec<Vec<f32>>) -> Vec<f32> {
    const BLOCK: usize = 4096;
    let mut total = parts.remove(0);
    total.par_chunks_mut(BLOCK).enumerate().for_each(|(i, block)| {
        for part in &parts {
            crate::simd::add_rows(&part[i * BLOCK..][..block.len()], block);
        }
    });
    total
}
