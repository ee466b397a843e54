//! Answers to the second task of the Inter IIT Tech Meet 13 contest.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::brief::quoted;
use super::item::artifact_of;
use super::region::region_of;
use crate::{Error, Explanation, Finding};

/// The answers of one team about many pictures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContestAnswers {
    /// The explanation of each picture, by index: its listed artifacts, each once, without a limit on
    /// their number.
    pub explanations: BTreeMap<u64, Explanation>,
    /// Number of names, listed or not.
    pub n_names: usize,
    /// The unlisted names, shortened, with the number of times that each was given.
    pub unlisted: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Row {
    index: Index,
    /// The artifact of a row that has only one.
    artifact_name: Option<String>,
    explanation: Said,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Index {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Texts(Map<String, Value>),
    Text(String),
}

impl ContestAnswers {
    /// Reads `[{"index": 1, "explanation": {"Artifact name": "text"}}, ...]`, or rows of one artifact each,
    /// `{"index": 1, "artifact_name": "Artifact name", "explanation": "text"}`. Names are read as those of
    /// a model's answer are: whatever their case, their punctuation and the number before them, and by
    /// their aliases.
    ///
    /// # Errors
    ///
    /// [`Error::ContestForm`] for other JSON.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let rows: Vec<Row> = serde_json::from_slice(json).map_err(Error::ContestForm)?;
        let mut answers = Self::default();
        for Row { index, artifact_name, explanation } in rows {
            let index = match index {
                Index::Number(index) => index,
                Index::Text(text) => text.trim().parse().map_err(|_| {
                    let reason = format!("the index {} is no number", quoted(&text));
                    Error::ContestForm(serde::de::Error::custom(reason))
                })?,
            };
            let said: Vec<(String, String)> = match (explanation, artifact_name) {
                (Said::Texts(texts), _) => texts
                    .into_iter()
                    .map(|(name, text)| (name, text.as_str().unwrap_or_default().to_owned()))
                    .collect(),
                (Said::Text(text), name) => name.map(|name| (name, text)).into_iter().collect(),
            };
            answers.take(index, &said);
        }
        Ok(answers)
    }

    fn take(&mut self, index: u64, said: &[(String, String)]) {
        let findings = &mut self.explanations.entry(index).or_default().findings;
        for (name, text) in said {
            self.n_names += 1;
            let Some(artifact) = artifact_of(name) else {
                *self.unlisted.entry(quoted(name)).or_default() += 1;
                continue;
            };
            if findings.iter().all(|finding| finding.artifact != artifact) {
                findings.push(Finding {
                    artifact,
                    region: region_of(text),
                    evidence: None,
                    explanation: text.clone(),
                    said_by: Vec::new(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contest_explanations;

    #[test]
    fn both_forms_are_read_and_names_found_by_their_spelling() {
        let json = r#"[
            {"index": 2, "explanation": {
                "1. artificial Smoothness": "The fur in the upper left.", "Ghosting effects": " twice",
                "blurriness_and_noise": "", "Artificial smoothness": "again", "Nonsense": 3}},
            {"index": "7", "artifact_name": "Color coherence breaks", "explanation": "Everywhere"},
            {"index": "7", "artifact_name": "Colour coherence breaks", "explanation": "again"},
            {"index": 9, "explanation": {}}]"#;
        let answers = ContestAnswers::from_json(json.as_bytes()).expect("two forms");
        let names = |index: u64| -> Vec<&str> {
            let findings = &answers.explanations[&index].findings;
            findings.iter().map(|finding| finding.artifact.name()).collect()
        };
        let ghosts = "Ghosting effects: Semi-transparent duplicates of elements";
        let mut two = names(2);
        two.sort_unstable();
        assert_eq!(two, ["Artificial smoothness", ghosts]);
        assert_eq!((names(7), names(9)), (vec!["Color coherence breaks"], vec![]));
        assert_eq!((answers.n_names, answers.unlisted.values().sum::<usize>()), (7, 2));
        let regions: Vec<_> =
            answers.explanations[&2].findings.iter().filter_map(|f| f.region).collect();
        assert_eq!(regions, [gradcam::Region::TopLeft]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let json =
            r#"[{"index": 3, "explanation": {"Artificial smoothness": "a", "Ghosting": "b"}}]"#;
        let answers = ContestAnswers::from_json(json.as_bytes()).expect("the contest's form");
        let written =
            contest_explanations(answers.explanations.iter().map(|(i, e)| (*i as usize, e)));
        let again = ContestAnswers::from_json(written.as_bytes()).expect("as written");
        assert_eq!(again.explanations, answers.explanations);
        for broken in ["", "{}", r#"[{"index": "x", "explanation": {}}]"#, "[1]"] {
            assert!(ContestAnswers::from_json(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(name in any::<String>(), text in any::<String>()) {
            let json = serde_json::json!([{"index": 1, "explanation": {name: text}}]).to_string();
            let answers = ContestAnswers::from_json(json.as_bytes()).expect("the contest's form");
            prop_assert_eq!(answers.n_names, 1);
        }
    }
}
