//! The input of the checks, and their results.

use std::path::Path;

use anyhow::{Context, Result};

use super::source::{self, Line};
use crate::workspace::{Role, Workspace};

/// A broken rule and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// `file:line`, a file, or a package.
    pub(crate) place: String,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// The input of the checks.
pub(crate) struct Tree<'a> {
    pub(crate) workspace: &'a Workspace,
    /// Every file of the repository that is UTF-8 text.
    pub(crate) texts: Vec<Text>,
    /// Lower the lists of exceptions to what is left instead of naming lines that are too high.
    pub(crate) shrink: bool,
    /// Tells whether `cargo xtask` understands these arguments, and if not, why.
    pub(crate) understands: fn(&[String]) -> std::result::Result<(), String>,
}

/// A text file of the repository.
pub(crate) struct Text {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Empty unless the file is Rust source.
    pub(crate) lines: Vec<Line>,
}

impl Text {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let lines = if path.ends_with(".rs") { source::lines(&text) } else { Vec::new() };
        Self { path, text, lines }
    }

    pub(super) fn read(root: &Path, path: &str) -> Result<Option<Self>> {
        let bytes = std::fs::read(root.join(path)).with_context(|| format!("read {path}"))?;
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        Ok(text.map(|text| Self::new(path, text)))
    }
}

impl Tree<'_> {
    /// Rust files of the repository.
    pub(super) fn rust(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|text| text.path.ends_with(".rs"))
    }

    /// Rust files under `src/` of the libraries that are published: what a user links.
    pub(super) fn libraries(&self) -> impl Iterator<Item = &Text> {
        let published = self.workspace.with_role(Role::Library).filter(|p| p.is_published());
        let folders: Vec<String> =
            published.map(|p| format!("{}/src/", self.workspace.relative(p.folder()))).collect();
        self.rust().filter(move |text| folders.iter().any(|folder| text.path.starts_with(folder)))
    }
}
