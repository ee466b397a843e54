//! PaliGemma 1 and 2: a SigLIP tower, one linear map and Gemma, whose prompt attends in both directions.

mod config;
mod model;

pub use config::PaliGemmaConfig;
pub use model::PaliGemma;

pub(super) use model::ARCHITECTURE;
