//! Errors of this crate.

use std::io;
use std::net::SocketAddr;

/// An error of this crate: it keeps its cause and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened to.
    #[error("cannot listen to {address}: {source}; choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A token that is too easily guessed, or that no header can hold.
    #[error(
        "a token has at least {min_bytes} bytes, all of them visible ASCII; write a longer one"
    )]
    Token {
        /// Bytes of the shortest token.
        min_bytes: usize,
    },
}
