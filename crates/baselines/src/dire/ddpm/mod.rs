//! Training of a diffusion model (Ho et al. 2020, arXiv 2006.11239): the network learns to tell the noise in
//! noised camera pictures.

mod batch;
mod config;
mod row;
#[cfg(test)]
mod tests;
mod trainer;

pub use config::{DdpmConfig, DdpmRecipe};
pub use row::DdpmRow;
pub use trainer::{Ddpm, DdpmEvent};
