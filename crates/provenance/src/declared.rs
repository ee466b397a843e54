//! Declarations with their sentences, as a page reads them.

use std::fmt::Display;

use serde::Serialize;

use crate::{Claim, Credentials, Declarations, Format};

/// The declarations of a file, each with its sentence: the shape in which a page gets them as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Declared {
    format: Format,
    claims: Vec<Said<Claim>>,
    credentials: Said<Credentials>,
    damage: Option<&'static str>,
    text: String,
}

/// A part of the declarations with its sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Said<T> {
    #[serde(flatten)]
    part: T,
    text: String,
}

impl<T: Display> From<T> for Said<T> {
    fn from(part: T) -> Self {
        Self { text: part.to_string(), part }
    }
}

impl From<Declarations> for Declared {
    fn from(declarations: Declarations) -> Self {
        let text = declarations.to_string();
        let Declarations { format, claims, credentials, damage } = declarations;
        let claims = claims.into_iter().map(Said::from).collect();
        Self { format, claims, credentials: credentials.into(), damage, text }
    }
}
