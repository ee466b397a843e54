//! Errors of files of a hub.

use std::path::PathBuf;

/// Why a file could not be had from a hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A revision that is no commit, so that what it holds may change.
    #[error("`{revision}` is no pinned revision; give a commit of 40 hexadecimal digits")]
    RevisionNotPinned {
        /// The revision as it was given.
        revision: String,
    },
    /// A name that no hub could mean.
    #[error(
        "`{name}` is no name on a hub; use letters, digits, `.`, `-`, `_` and `/` between them"
    )]
    HubName {
        /// The name as it was given.
        name: String,
    },
    /// A file that is not there while downloads are off.
    #[error("{} is not there and downloads are off; put {url} there", path.display())]
    Offline {
        /// The path at which the file is looked for.
        path: PathBuf,
        /// The address that serves the file.
        url: String,
    },
    /// A download failed; nothing of it is left.
    #[error("cannot download {url}: {source}; try again, or put it at {}", path.display())]
    Download {
        /// The address.
        url: String,
        /// The path at which the file would have been kept.
        path: PathBuf,
        /// The cause of the failure.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file is another than the one that was asked for.
    #[error("{} has the SHA-256 {found}, not {expected}; do not use it", path.display())]
    HashMismatch {
        /// The file.
        path: PathBuf,
        /// The hash that was asked for.
        expected: String,
        /// The hash that was found.
        found: String,
    },
}
