//! Everything that a file declares.

use std::fmt;

use serde::Serialize;

use crate::claim::Claim;
use crate::credentials::Credentials;
use crate::format::Format;

/// The worth of a declaration, in a sentence to show with it.
pub const CAUTION: &str =
    "A declaration is no measurement: it can be removed, and most can be invented.";

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

    /// Each statement, each finding about manifests and each fault of the file in words, without
    /// [`CAUTION`]. Names in them are untrusted text on one line; the caller escapes them.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.claims.iter().map(Claim::to_string).collect();
        if lines.is_empty() {
            lines.push("no origin is declared".to_owned());
        }
        if self.credentials != Credentials::None {
            lines.extend(self.credentials.to_string().lines().map(str::to_owned));
        }
        lines.extend(self.damage.map(|damage| format!("the file is damaged: {damage}")));
        lines
    }
}

impl fmt::Display for Declarations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The file declares:")?;
        for line in self.lines() {
            writeln!(f, "- {line}")?;
        }
        f.write_str(CAUTION)
    }
}
