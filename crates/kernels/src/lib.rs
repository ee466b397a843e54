//! Operations that make training and inference of vision networks fast on a CPU, as burn backend
//! extensions with hand-written gradients. All of them are channels-last.
//!
//! Single-precision tensors of burn's `flex` backend, with or without autodiff, take the fast
//! path; all other tensors take the same formula composed of burn's own operations. Results do not
//! depend on the number of threads: sums run over fixed blocks, in a fixed order, so that a program
//! that runs again gives the same bits. Work runs on rayon's current thread pool. Instruction sets
//! are chosen at run time; between them, and between processors, results differ by rounding, logits
//! of the shipped model by less than 1e-5 (docs/benchmarks.md).
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//!
//! let device = Device::flex().autodiff();
//! let x = Tensor::<2>::random([4, 8], Distribution::Default, &device);
//! let weight = Tensor::<2>::random([8, 16], Distribution::Default, &device).require_grad();
//! let y = cifake_kernels::gelu(cifake_kernels::linear(x, weight.clone(), None));
//! let gradient = weight.grad(&y.sum().backward()).expect("the weight is tracked");
//! assert_eq!(gradient.dims(), [8, 16]);
//! ```

mod allocator;
mod attention;
mod backward;
mod batch_norm;
mod buffer;
#[cfg(test)]
mod check;
mod conv;
mod conv_norm;
mod gelu;
mod gemm;
mod group_norm;
mod layer_norm;
mod linear;
pub mod packed;
pub mod quantized;
mod relu;
mod simd;
pub mod text;

pub use allocator::RecyclingAllocator;
pub use attention::window_attention;
pub use batch_norm::{BatchNormOutput, batch_norm, batch_norm_gelu};
pub use conv::{conv3x3, depthwise_conv};
pub use conv_norm::ConvNorm;
pub use gelu::gelu;
pub use gemm::{Products, with_products};
pub use group_norm::{group_norm, group_norm_silu};
pub use layer_norm::layer_norm;
pub use linear::{linear, linear_t};
pub use relu::{relu, relu6};
