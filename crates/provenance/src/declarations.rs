//! Everything that a file declares.

use std::fmt;

use serde::Serialize;

use crate::claim::Claim;
use crate::credentials::Credentials;
use crate::format::Format;

/// Everything that a file declares about its origin.
///
/// `Display` says it in plain words; serde makes it JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Declarations {
    /// The container.
    pub format: Format,
    /// The statements, each once. An empty list means that the file says nothing, which says nothing of
    /// its origin: most services remove metadata.
    pub claims: Vec<Claim>,
    /// C2PA manifests and what their check has found.
    pub credentials: Credentials,
    /// The first fault of the container or of its metadata. Claims before it were read.
    pub damage: Option<&'static str>,
}

impl Declarations {
    /// True if a statement is that a trained model made or changed the picture.
    #[must_use]
    pub fn say_ai(&self) -> bool {
        self.claims.iter().any(|claim| claim.says.is_ai())
    }
}

impl fmt::Display for Declarations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.claims.is_empty() {
            writeln!(f, "The file declares no origin.")?;
        } else {
            writeln!(f, "The file declares:")?;
            for claim in &self.claims {
                writeln!(f, "- {claim}")?;
            }
        }
        if self.credentials != Credentials::None {
            writeln!(f, "{}", self.credentials)?;
        }
        if let Some(damage) = self.damage {
            writeln!(f, "The file is damaged: {damage}.")?;
        }
        f.write_str("A declaration is no measurement: it can be removed, and most can be invented.")
    }
}
