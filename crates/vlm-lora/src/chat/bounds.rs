//! Limits that all parts of the template engine share, and the error of what breaks them.

use minijinja::{Error, ErrorKind};

/// Maximum bytes of a template. The longest published ones have 20,000.
pub(super) const MAX_SOURCE_BYTES: u64 = 1 << 20;
/// Maximum bytes of a rendered conversation.
pub(super) const MAX_TEXT_BYTES: usize = 16 << 20;

/// The error of a template that does something forbidden.
pub(super) fn refused(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}
