//! The detectors on the leaderboard.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use cifake::file::read_limited;
use cifake::weights::Source;

use crate::args::registry;

/// The detector that McNemar's test compares with.
pub(crate) const DEFAULT: &str = "native";
/// Largest file that can be one of shipped weights, in bytes.
const MAX_SHIPPED: u64 = 64 << 20;
/// All shipped weights.
const ALL: &str = "all";

/// Weights, and perhaps the name of their row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entrant {
    /// Name of the row; without one, it is called after the network.
    pub(crate) name: Option<String>,
    /// Name of shipped weights, or a weight file.
    pub(crate) weights: PathBuf,
}

impl Entrant {
    /// `NAME`, `FILE` or `NAME=FILE`.
    fn parse(text: &str) -> Result<Self> {
        let whole = Path::new(text);
        match text.split_once('=') {
            Some((name, file)) if !whole.exists() => {
                let is_named = !name.trim().is_empty() && !file.is_empty();
                ensure!(is_named, "`{text}`: write NAME=FILE");
                let entrant = Self { name: Some(name.trim().to_owned()), weights: file.into() };
                ensure!(
                    !entrant.claims_other_weights(),
                    "`{text}`: {} is the name of shipped weights, and {file} are others; choose another name",
                    name.trim()
                );
                Ok(entrant)
            }
            _ => {
                let is_bare = whole.extension().is_none() && whole.components().count() == 1;
                let name = (is_bare && !whole.exists()).then(|| text.to_owned());
                Ok(Self { name, weights: text.into() })
            }
        }
    }
}

impl Entrant {
    /// Whether it is called as shipped weights are, small and capital letters being the same, and has others.
    fn claims_other_weights(&self) -> bool {
        let Some(name) = self.name.as_ref().map(|name| PathBuf::from(name.to_ascii_lowercase()))
        else {
            return false;
        };
        let registry = registry();
        let shipped = match registry.source(&name) {
            // No weights are called so.
            Err(_) => return false,
            Ok(Source::File(file)) if file == name => return false,
            Ok(shipped) => shipped,
        };
        let own = registry.source(&self.weights).ok().and_then(content);
        own.is_none() || own != content(shipped)
    }
}

/// The bytes of `source`, if shipped weights can have as many.
fn content(source: Source<'_>) -> Option<Vec<u8>> {
    match source {
        Source::File(file) => read_limited(file, MAX_SHIPPED).ok(),
        Source::Bytes { bytes, .. } => Some(bytes.to_vec()),
    }
}

/// The detectors that `list` names, each once, the default one first.
///
/// # Errors
///
/// An empty list; an entry without a name or a file beside its `=`, or with the name of shipped weights and others.
pub(crate) fn entrants(list: &[String]) -> Result<Vec<Entrant>> {
    let mut found: Vec<Entrant> = Vec::new();
    let names = list.iter().filter(|text| !text.is_empty());
    let expanded = names.flat_map(|text| match text.as_str() {
        ALL => registry().names().map(str::to_owned).collect(),
        _ => vec![text.clone()],
    });
    for text in expanded {
        let entrant = Entrant::parse(&text)?;
        if !found.contains(&entrant) {
            found.push(entrant);
        }
    }
    ensure!(!found.is_empty(), "--detectors names none");
    // Its answers are needed for every other row.
    found.sort_by_key(|entrant| entrant.weights != Path::new(DEFAULT));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: &[&str]) -> Result<Vec<(Option<String>, String)>> {
        let list: Vec<String> = list.iter().map(|&text| text.to_owned()).collect();
        let of = |entrant: Entrant| (entrant.name, entrant.weights.display().to_string());
        Ok(entrants(&list)?.into_iter().map(of).collect())
    }

    #[test]
    fn names_files_and_named_files_are_told_apart() {
        let found = listed(&["mine=runs/a/best.safetensors", "runs/b.safetensors", "native"]);
        let named = |name: &str| Some(name.to_owned());
        let expected = [
            (named("native"), "native".to_owned()),
            (named("mine"), "runs/a/best.safetensors".to_owned()),
            (None, "runs/b.safetensors".to_owned()),
        ];
        assert_eq!(found.expect("a list"), expected);
        assert!(listed(&["=a.safetensors"]).is_err() && listed(&["a="]).is_err());
        assert!(listed(&[]).is_err() && listed(&[""]).is_err());
    }

    #[test]
    fn a_name_of_shipped_weights_is_theirs_alone() {
        for claim in
            ["robust=resnet18_32", "native=static-robust", "Native = adversarial", "clean=a.bin"]
        {
            let error = listed(&[claim]).expect_err(claim).to_string();
            assert!(error.contains(claim) && error.contains("another name"), "{error}");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("copy.safetensors");
        let registry = registry();
        let native = registry.source(Path::new(DEFAULT)).expect("shipped");
        std::fs::write(&file, content(native).expect("bytes")).expect("it is writable");
        let copy = format!("native={}", file.display());
        for same in [copy.as_str(), "clean=native", "robust=adversarial", "mine=native"] {
            listed(&[same]).expect(same);
        }
    }

    #[test]
    fn all_are_the_shipped_ones_each_once() {
        let found = listed(&["resnet18_32", "all", "native"]).expect("a list");
        let names: Vec<String> = found.into_iter().map(|(_, weights)| weights).collect();
        assert_eq!(names.len(), registry().names().count());
        assert_eq!(names[..2], ["native", "resnet18_32"]);
    }
}
