//! Explainers that ask a model over the network.
//!
//! They send the picture, and the picture under its map, to a service of your choice: that is a
//! decision about other people's pictures. Nothing is sent for a REAL verdict. Answers are held to
//! the [rules](crate::Rules). If an answer cannot be read, the model is asked once more.
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
//! A request is repeated, with growing waits, after status 429, 500, 502, 503 or 504, a timeout or a
//! broken connection. It is not repeated after another status, such as that of a wrong key.
//! Redirects are not followed and no proxy is used. One explanation costs at most twice
//! [`Limits::tries`] requests.

mod config;
mod dialogue;
pub(crate) mod error;
mod gemini;
mod key;
mod openai;
mod retry;
mod transport;
mod usage;

pub use config::{Limits, RemoteConfig, Sampling};
pub use error::RemoteError;
pub use gemini::GeminiExplainer;
pub use key::ApiKey;
pub use openai::OpenAiExplainer;
pub use usage::Usage;
