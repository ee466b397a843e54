//! The detectors on the leaderboard.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::args::registry;

/// The detector that McNemar's test compares with.
pub(crate) const DEFAULT: &str = "native";
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
                Ok(Self { name: Some(name.trim().to_owned()), weights: file.into() })
            }
            _ => {
                let is_bare = whole.extension().is_none() && whole.components().count() == 1;
                let name = (is_bare && !whole.exists()).then(|| text.to_owned());
                Ok(Self { name, weights: text.into() })
            }
        }
    }
}

/// The detectors that `list` names, each once, the default one first.
///
/// # Errors
///
/// An empty list, or an entry without a name or a file beside its `=`.
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
    fn all_are_the_shipped_ones_each_once() {
        let found = listed(&["resnet18_32", "all", "native"]).expect("a list");
        let names: Vec<String> = found.into_iter().map(|(_, weights)| weights).collect();
        assert_eq!(names.len(), registry().names().count());
        assert_eq!(names[..2], ["native", "resnet18_32"]);
    }
}
