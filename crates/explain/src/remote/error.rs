//! What can go wrong on the way to a model and back.

use std::time::Duration;

/// Why a model that is asked over the network gave no answer.
///
/// What a server wrote is kept, without control characters, without the key, and shortened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No address that a request and its key can be sent to.
    #[error("`{url}` is no address of a model: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A name that would change the address.
    #[error("`{model}` is no name of a model: letters, digits, `.`, `_` and `-` make one")]
    Model {
        /// What was given.
        model: String,
    },
    /// A text that cannot be a key. It is not repeated.
    #[error("this is no key: {reason}")]
    Key {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An answer other than success.
    #[error("the model's server answered {status} on try {attempt}: {body}")]
    Status {
        /// Of HTTP.
        status: u16,
        /// The try that was the last.
        attempt: u32,
        /// After which time the server wants to be asked again, if it says.
        retry_after: Option<Duration>,
        /// What it wrote.
        body: String,
    },
    /// No whole answer in time.
    #[error("the model's server gave no answer within {limit:?} on try {attempt}")]
    TimedOut {
        /// The time of one try.
        limit: Duration,
        /// The try that was the last.
        attempt: u32,
    },
    /// A connection that cannot be made, or that breaks.
    #[error("the connection to the model's server failed on try {attempt}")]
    Connection {
        /// The try that was the last.
        attempt: u32,
        /// What the client says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer that nobody reads to its end.
    #[error("the model's server answered more than {limit} bytes")]
    TooLarge {
        /// Bytes that are read.
        limit: u64,
    },
    /// An answer that is no JSON.
    #[error("the model's server answered something else than JSON")]
    NotJson(#[source] serde_json::Error),
    /// An answer without text: a refusal, a filter, or another service than this is.
    #[error("the model wrote nothing: {reason}")]
    NoText {
        /// What the server says of it.
        reason: String,
    },
    /// As many requests as were allowed.
    #[error("{limit} requests were made, and no more are allowed")]
    Spent {
        /// Requests that were allowed.
        limit: u64,
    },
}
