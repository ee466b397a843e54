//! Explanations and an embedder for the tests of this module.

use gradcam::Region;

use super::Embedder;
use crate::{Error, Explanation, Finding};

pub(super) fn explanation(findings: &[(&str, Option<Region>, &str)]) -> Explanation {
    let finding = |(name, region, text): &(&str, Option<Region>, &str)| Finding {
        artifact: name.parse().expect("it is in the list"),
        region: *region,
        evidence: None,
        explanation: (*text).to_owned(),
        said_by: Vec::new(),
    };
    let findings = findings.iter().map(finding).collect();
    Explanation { findings, remarks: Vec::new() }
}

/// Counts of the letters `a` and `b`.
pub(super) struct Letters;

impl Embedder for Letters {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Error> {
        let count = |text: &str, letter| text.matches(letter).count() as f32;
        Ok(texts.iter().map(|text| vec![count(text, 'a'), count(text, 'b')]).collect())
    }
}
