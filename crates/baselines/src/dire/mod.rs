//! DIRE (Wang et al. 2023, arXiv 2303.09295): a classifier of what a diffusion model does not give back of a
//! picture that it inverts and reconstructs.
//!
//! Formulas, key names and settings are those of `guided-diffusion` in ZhendongWang6/DIRE
//! (`compute_dire.py`, `guided_diffusion/{unet,respace,gaussian_diffusion}.py`, commit fcc22b4) and of
//! openai/guided-diffusion (`unet.py`, `nn.py`, commit 18ff408). Published detectors run in `f16`; this one
//! runs in `f32`.

mod config;
mod ddpm;
mod detector;
mod diffusion;
mod import;
mod layers;
mod reconstruction;
mod set;
mod unet;

pub use config::UNetConfig;
pub use ddpm::{Ddpm, DdpmConfig, DdpmEvent, DdpmRecipe, DdpmRow};
pub use detector::{Dire, DireClassifier, DireConfig, dire_loader};
pub use diffusion::{Diffusion, DiffusionError, residue};
pub(crate) use import::IMPORT as DIRE;
pub use layers::{Attention, Resample, ResidualBlock};
pub use reconstruction::Reconstructor;
pub use set::{ResidueSet, ResidueSettings};
pub use unet::{Stage, UNet};
