//! Layers whose weights were packed once, for inference on slices of `f32`.
//!
//! A layer here is immutable and works on whatever rows it is given, in the calling thread: who
//! calls decides what runs where, keeps the buffers, and can let one layer read what another left
//! in the cache. Maps are channels-last, one image after the other. A row's result does not depend
//! on the rows beside it.
//!
//! ```
//! use cifake_kernels::packed::{Finish, Linear};
//!
//! let layer = Linear::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.5, -0.5]);
//! let mut out = [0.0; 4];
//! layer.apply(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], Finish::Store, &mut out);
//! assert_eq!(out, [1.5, 3.5, 2.5, 4.5]);
//! ```

mod attention;
mod conv;
mod depthwise;
mod layer_norm;
mod linear;

pub use crate::gemm::{INNER_BLOCK, TILE_ROWS};
pub use attention::{AttentionWorkspace, WindowAttention};
pub use conv::Conv3x3;
pub use depthwise::DepthwiseConv3x3;
pub use layer_norm::LayerNorm;
pub use linear::{Finish, Linear};
