//! Explainers that ask a model over the network.
//!
//! They send the picture and the map over it to a service of your choice: that is a decision about
//! other people's pictures. Nothing is sent for a REAL verdict. What comes back is held to the
//! [rules](crate::Rules) of every answer; one that cannot be read is asked for once more.
//!
//! ```no_run
//! use explain::remote::{ApiKey, GeminiExplainer, RemoteConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = ApiKey::new(std::fs::read_to_string("gemini.key")?)?;
//! let config = RemoteConfig { model: "gemini-3.5-flash".to_owned(), ..RemoteConfig::gemini() };
//! let explainer = GeminiExplainer::new(config, key)?;
//! assert_eq!(explainer.usage().n_requests, 0);
//! # Ok(())
//! # }
//! ```
//!
//! A try is repeated after 429, 500, 502, 503, 504, a timeout or a broken connection, with waits
//! that grow; not after another status, such as that of a wrong key. Redirects are not followed and
//! no proxy is used. One explanation costs at most twice [`Limits::tries`] requests.

mod config;
mod dialogue;
mod error;
mod gemini;
mod key;
mod openai;
mod retry;
mod transport;

pub use config::{Limits, RemoteConfig, Sampling};
pub use error::RemoteError;
pub use gemini::GeminiExplainer;
pub use key::ApiKey;
pub use openai::OpenAiExplainer;

/// What an explainer has asked of its service so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Requests, tries that failed included.
    pub n_requests: u64,
    /// Tokens of questions, as the service counts them.
    pub n_prompt_tokens: u64,
    /// Tokens of answers and thoughts, as the service counts them.
    pub n_answer_tokens: u64,
}
