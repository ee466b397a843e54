//! DIRE (Wang et al. 2023, arXiv 2303.09295): the residue of a picture that a diffusion model inverts
//! and reconstructs.

mod config;
mod diffusion;
mod layers;
mod unet;

pub use config::UNetConfig;
pub use diffusion::{Diffusion, DiffusionError, residue};
pub use layers::{Attention, Resample, ResidualBlock};
pub use unet::{Stage, UNet};
