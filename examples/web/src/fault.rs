//! Errors as the page reads them.

use cifake::{Error, ErrorKind, error_chain};
use serde::Serialize;

/// A picture without an answer. Status and kind are those of the same fault behind `cifake serve`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    status: u16,
    kind: &'static str,
    detail: String,
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        let (status, kind) = match error.kind() {
            ErrorKind::InvalidInput => (400, "invalid_input"),
            ErrorKind::TooLarge => (413, "too_large"),
            ErrorKind::Unsupported => (415, "unsupported"),
            _ => (500, "internal"),
        };
        Self { status, kind, detail: error_chain(error) }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<explain::Error> for Fault {
    fn from(error: explain::Error) -> Self {
        match &error {
            explain::Error::Verdict(error) | explain::Error::File(error) => error.into(),
            _ => Self { status: 500, kind: "internal", detail: error_chain(&error) },
        }
    }
}

impl From<provenance::Error> for Fault {
    fn from(error: provenance::Error) -> Self {
        let (status, kind) = match error {
            provenance::Error::Format => (415, "unsupported"),
            _ => (500, "internal"),
        };
        Self { status, kind, detail: error_chain(&error) }
    }
}
