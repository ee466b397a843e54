//! The operations of a decoder of text between its linear layers, when it only runs: no gradients.
//!
//! Each function here is for single-precision tensors of the flex backend without autodiff, which
//! [`is_plain`] tells; a caller composes burn's operations otherwise.

mod attention;
mod rows;

pub use attention::{KeyValueCache, Rotary, Scores, attend};
pub use rows::{few_products, geglu, rms_norm, swiglu};

use burn::backend::{DType, DispatchDevice};
use burn::tensor::Tensor;

/// Whether `tensor` is a single-precision tensor of the flex backend without autodiff.
#[must_use]
pub fn is_plain<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && matches!(tensor.device().as_dispatch(), DispatchDevice::Flex(_))
}
