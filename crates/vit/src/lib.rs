//! Vision transformers on burn: one network for ViT, CLIP's vision tower and DINOv2.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use cifake_vit::VitConfig;
//!
//! let device = Device::flex();
//! let config = VitConfig::small_32();
//! let network = config.draw(1, &device);
//! let embedding = network.forward(Tensor::ones([2, 3, 32, 32], &device) * 0.5);
//! assert_eq!(embedding.dims(), [2, config.embedding_dim()]);
//! ```
//!
//! [`VitConfig::load`] reads the weights that timm, Hugging Face, OpenAI, open_clip and facebookresearch/dinov2
//! publish, under their own names. [`PreNorm`], [`attend`], [`patches`] and [`Activation`] are the parts of such
//! networks; other towers build on them with linear layers of their own.

mod activation;
mod attention;
mod block;
mod config;
mod init;
mod kept;
mod patches;
mod pre_norm;
mod pretrained;
mod resample;
mod vit;

pub use activation::{Activation, UnknownActivation};
pub use attention::{attend, multi_head};
pub use block::{Attention, Block, LayerScale, Mlp};
pub use config::{LastNorm, Pooling, VitConfig};
pub use kept::Kept;
pub use patches::patches;
pub use pre_norm::{PreNorm, RowMap};
pub use pretrained::{Naming, published_head};
pub use resample::{Interpolation, resize_bicubic};
pub use vit::{PatchEmbed, Vit};
