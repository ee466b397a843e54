//! The identity of a run: what its results depend on.

use cifake::weights::sha256_hex;
use cifake::{Dataset, Label};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;

/// Longest value in an error text.
const MAX_SHOWN: usize = 80;

/// A model's name and the hash of its weights.
///
/// Results of a model are reused where both are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelId {
    /// Name for tables.
    pub name: String,
    /// SHA-256 of the weight file, or of anything else that determines the model.
    pub weights: String,
}

impl ModelId {
    /// The model called `name` whose weight file has the SHA-256 `weights`.
    #[must_use]
    pub fn new(name: impl Into<String>, weights: impl Into<String>) -> Self {
        Self { name: name.into(), weights: weights.into() }
    }
}

/// SHA-256 of the label and the encoded picture of each sample at `indices`.
///
/// # Errors
///
/// If a picture cannot be read.
pub(crate) fn picture_hashes(
    dataset: &dyn Dataset,
    indices: &[usize],
) -> Result<Vec<String>, Error> {
    let hash = |&index: &usize| -> Result<String, Error> {
        let label: &[u8] = match dataset.samples()[index].label {
            Label::Real => b"REAL\n",
            Label::Fake => b"FAKE\n",
        };
        let bytes = dataset.bytes(index)?;
        Ok(sha256_hex(&[label, &bytes[..]].concat()))
    };
    indices.par_iter().map(hash).collect()
}

/// A field in which two runs differ.
#[derive(Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) field: String,
    pub(crate) theirs: String,
    pub(crate) ours: String,
}

impl Difference {
    /// The first field in which `theirs` and `ours` differ; fields named in `ignored` may differ.
    pub(crate) fn first<T: Serialize>(theirs: &T, ours: &T, ignored: &[&str]) -> Option<Self> {
        let value = |run: &T| serde_json::to_value(run).expect("plain data has a JSON form");
        let (Value::Object(theirs), Value::Object(ours)) = (value(theirs), value(ours)) else {
            return None;
        };
        let differs = |(field, ours): &(&String, &Value)| {
            !ignored.contains(&field.as_str()) && theirs.get(*field) != Some(*ours)
        };
        // Another version explains every other difference.
        let version = ours.get_key_value("version");
        let (field, ours) = version.into_iter().chain(ours.iter()).find(differs)?;
        let theirs = theirs.get(field).unwrap_or(&Value::Null);
        // Of two lists, the first entries that differ tell more than the whole.
        let (theirs, ours) = match (theirs, ours) {
            (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
                theirs.iter().zip(ours).find(|(a, b)| a != b)?
            }
            both => both,
        };
        Some(Self { field: field.replace('_', " "), theirs: shown(theirs), ours: shown(ours) })
    }

    pub(crate) fn in_file(self, path: &std::path::Path) -> Error {
        let Self { field, theirs, ours } = self;
        if field == "version" {
            return Error::OtherVersion { path: path.to_owned() };
        }
        Error::OtherRun { path: path.to_owned(), field, theirs, ours }
    }
}

/// `value` in at most [`MAX_SHOWN`] characters.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("a list of {}", list.len()),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_short_and_names_the_field() {
        #[derive(Serialize)]
        struct Run {
            attacks: Vec<String>,
            n_samples: usize,
        }
        let run = |attack: &str, n_samples| Run {
            attacks: vec!["pgd".to_owned(), attack.repeat(1500)],
            n_samples,
        };
        let first = |a: &Run, b: &Run, ignored: &[&str]| Difference::first(a, b, ignored);
        assert_eq!(first(&run("a", 1), &run("a", 1), &[]), None);
        let found = first(&run("a", 40), &run("a", 60), &[]).expect("another number");
        let expected = ("n samples", "40", "60");
        assert_eq!((&*found.field, &*found.theirs, &*found.ours), expected);
        let found = first(&run("a", 1), &run("é", 1), &[]).expect("another attack");
        assert_eq!((&*found.field, found.ours.chars().count()), ("attacks", MAX_SHOWN + 1));
        assert_eq!(first(&run("a", 1), &run("a", 2), &["n_samples"]), None);
    }
}
