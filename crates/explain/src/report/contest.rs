//! Answers in the form of the Inter IIT Tech Meet 13 contest.

use cifake::Label;
use serde::{Serialize, Serializer};

use crate::{Explanation, Finding};

#[derive(Serialize)]
struct Prediction {
    index: usize,
    prediction: &'static str,
}

#[derive(Serialize)]
struct Explained<'a> {
    index: usize,
    #[serde(serialize_with = "named_texts")]
    explanation: &'a [Finding],
}

/// Answers to the contest's first task: `[{"index": 1, "prediction": "fake"}, ...]`.
#[must_use]
pub fn contest_predictions(labels: impl IntoIterator<Item = (usize, Label)>) -> String {
    let word = |label| match label {
        Label::Real => "real",
        Label::Fake => "fake",
    };
    let rows = labels.into_iter();
    list(rows.map(|(index, label)| Prediction { index, prediction: word(label) }).collect())
}

/// Answers to the contest's second task: `[{"index": 1, "explanation": {"Artifact name": "text"}}, ...]`.
/// The artifacts of a picture keep their order.
#[must_use]
pub fn contest_explanations<'a>(
    explanations: impl IntoIterator<Item = (usize, &'a Explanation)>,
) -> String {
    let row = |(index, explanation): (usize, &'a Explanation)| Explained {
        index,
        explanation: &explanation.findings,
    };
    list(explanations.into_iter().map(row).collect())
}

fn list(rows: Vec<impl Serialize>) -> String {
    serde_json::to_string_pretty(&rows).expect("texts and numbers are always JSON")
}

/// An object cannot have a name twice: of several findings of one artifact, the first is written.
fn named_texts<S: Serializer>(findings: &&[Finding], serializer: S) -> Result<S::Ok, S::Error> {
    let is_first = |at: usize| !findings[..at].iter().any(|f| f.artifact == findings[at].artifact);
    let firsts = findings.iter().enumerate().filter(|(at, _)| is_first(*at));
    serializer.collect_map(firsts.map(|(_, finding)| (finding.artifact, &finding.explanation)))
}
