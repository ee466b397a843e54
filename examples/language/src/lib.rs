//! Tools that the programs about language models share.

mod answer;
mod explainers;
mod named;
mod sampling;
pub mod scoring;
mod sight;
mod template;
pub mod tiny;
mod tower;
pub mod tuning;

pub use answer::{Answer, peak_rss_mb};
pub use cifake_cli::exit_code;
pub use explainers::VlmArgs;
pub(crate) use named::model_name;
pub use named::{class_named, tell_failures, warn_of_untrained};
pub use sampling::{SamplingArgs, artifact_list};
pub use sight::SightArgs;
pub use template::TemplateArgs;
pub use tower::TowerArgs;
