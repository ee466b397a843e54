//! Pictures without a report.

use serde::Serialize;

/// A picture that could not be explained. As JSON it is `{"path": ..., "error": ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Name of the picture.
    pub path: String,
    /// The error with its causes, in words.
    pub error: String,
}
