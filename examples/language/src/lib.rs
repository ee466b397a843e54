//! What the programs about language models share.

mod answer;
mod enlargement;
mod exit;
mod sampling;
pub mod scoring;
mod sight;
pub mod tiny;
mod tower;
pub mod tuning;
mod voices;

pub use answer::{Answer, peak_rss_mb};
pub use exit::exit_code;
pub use sampling::{SamplingArgs, artifact_list, storage_named};
pub use sight::SightArgs;
pub use tower::TowerArgs;
pub use voices::VoiceArgs;
