//! Errors of remote explainers.

use std::time::Duration;

/// Errors of remote explainers.
///
/// The server's text is kept: shortened, without control characters and without the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address is invalid.
    #[error("`{url}` is not a valid address: {reason}")]
    Address {
        /// The address.
        url: String,
        /// Its fault.
        reason: &'static str,
    },
    /// The name of the model would change the address.
    #[error("`{model}` is not a valid model name: it may have letters, digits, `.`, `_` and `-`")]
    Model {
        /// The name.
        model: String,
    },
    /// The key is invalid. The error does not repeat it.
    #[error("invalid key: {reason}")]
    Key {
        /// Its fault.
        reason: &'static str,
    },
    /// The server answered with an error status.
    #[error("the model's server answered {status} on try {attempt}: {body}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Number of the last try.
        attempt: u32,
        /// The wait that the server asked for.
        retry_after: Option<Duration>,
        /// The server's text.
        body: String,
    },
    /// The answer did not arrive in time.
    #[error("the model's server gave no answer within {limit:?} on try {attempt}")]
    TimedOut {
        /// Time of one try.
        limit: Duration,
        /// Number of the last try.
        attempt: u32,
    },
    /// The connection failed.
    #[error("the connection to the model's server failed on try {attempt}")]
    Connection {
        /// Number of the last try.
        attempt: u32,
        /// The error of the client.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is too large.
    #[error("the model's server answered more than {limit} bytes")]
    TooLarge {
        /// Most bytes that are read.
        limit: u64,
    },
    /// The answer is not JSON.
    #[error("the answer of the model's server is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The answer has no text: a refusal, a filter, or another kind of service.
    #[error("the model wrote nothing: {reason}")]
    NoText {
        /// The server's reason.
        reason: String,
    },
    /// The allowed requests are spent.
    #[error("{limit} requests were made, and no more are allowed")]
    Spent {
        /// Number of allowed requests.
        limit: u64,
    },
}
