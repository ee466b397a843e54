//! Several explainers combined into one list.

use std::collections::HashSet;
use std::error::Error as _;
use std::sync::{Mutex, PoisonError};

use gradcam::{Region, regions};

use crate::{Error, Explainer, Explanation, Finding, MAX_FINDINGS, Subject};

/// Weight of a measurement; each explainer weighs 1.
const EVIDENCE: f64 = 1.0;

/// Merges the findings of several explainers into one list, with the names of all who found each.
///
/// A finding weighs 1 for each explainer that has it, 1 more if it was measured, and the share of the
/// map that its region holds. The heaviest [`MAX_FINDINGS`] stay, earlier ones first among equals.
/// Text and region are those of the measured finding, or of the first explainer.
pub struct Combined {
    name: String,
    explainers: Vec<Box<dyn Explainer>>,
    /// Failures of explainers since they were last taken.
    failures: Mutex<Vec<String>>,
}

impl Combined {
    /// Merges `explainers`. Earlier ones are preferred if they differ.
    ///
    /// # Panics
    ///
    /// If `explainers` is empty.
    #[must_use]
    pub fn new(explainers: Vec<Box<dyn Explainer>>) -> Self {
        assert!(!explainers.is_empty(), "no explainer");
        let names: Vec<&str> = explainers.iter().map(|explainer| explainer.name()).collect();
        Self { name: names.join("+"), explainers, failures: Mutex::default() }
    }

    /// Takes the failures of single explainers since the last call, as sentences with their causes.
    ///
    /// An explanation mentions them in a remark only, as long as one explainer succeeds.
    #[must_use]
    pub fn take_failures(&self) -> Vec<String> {
        std::mem::take(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Explainer for Combined {
    fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    ///
    /// The error of the first explainer if all fail. If only some fail, a remark names them.
    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        let mut said = Vec::new();
        let mut remarks = Vec::new();
        let mut first_error = None;
        for explainer in &self.explainers {
            match explainer.explain(subject) {
                Ok(explanation) => {
                    remarks.extend(explanation.remarks.iter().cloned());
                    said.push(explanation.findings);
                }
                Err(error) => {
                    let failure = format!("{} said nothing: {}", explainer.name(), told(&error));
                    remarks.push(failure.clone());
                    let failures = self.failures.lock();
                    failures.unwrap_or_else(PoisonError::into_inner).push(failure);
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if said.is_empty() => Err(error),
            _ => Ok(Explanation { findings: merge(said, subject), remarks }),
        }
    }
}

/// An error with all its causes, each once.
fn told(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

fn merge(said: Vec<Vec<Finding>>, subject: &Subject<'_>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for finding in said.into_iter().flatten() {
        match merged.iter_mut().find(|other| other.artifact == finding.artifact) {
            Some(other) => add(other, finding),
            None => merged.push(finding),
        }
    }
    let regions = regions(subject.map);
    let share = |region: Region| {
        regions.iter().find(|found| found.region == region).map_or(0.0, |found| found.share)
    };
    let weight = |finding: &Finding| {
        let measured = if finding.evidence.is_some() { EVIDENCE } else { 0.0 };
        finding.said_by.len() as f64 + measured + finding.region.map_or(0.0, share)
    };
    merged.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    merged.truncate(MAX_FINDINGS);
    merged
}

/// Adds the contents of `more` to `finding`, which is of the same artifact.
fn add(finding: &mut Finding, more: Finding) {
    let said_by: HashSet<String> = finding.said_by.iter().cloned().collect();
    finding.said_by.extend(more.said_by.into_iter().filter(|name| !said_by.contains(name)));
    if finding.evidence.is_none() && more.evidence.is_some() {
        finding.evidence = more.evidence;
        finding.explanation = more.explanation;
        finding.region = more.region.or(finding.region);
    } else if finding.region.is_none() {
        finding.region = more.region;
    }
}

#[cfg(test)]
mod tests {
    use cifake::{Label, Picture};
    use gradcam::HeatMap;

    use super::*;
    use crate::{Artifact, Evidence};

    /// Says what it was made with, or fails.
    struct Parrot(&'static str, Option<Vec<Finding>>);

    impl Explainer for Parrot {
        fn name(&self) -> &str {
            self.0
        }

        fn explain(&self, _: &Subject<'_>) -> Result<Explanation, Error> {
            let findings = self.1.clone().ok_or(Error::Embedder("broken".into()))?;
            Ok(Explanation { findings, remarks: vec![] })
        }
    }

    fn finding(by: &str, at: usize, region: Option<Region>, measured: bool) -> Finding {
        let artifact = Artifact::all().nth(at).expect("of the seventy");
        let evidence = Evidence { measure: "edge width".to_owned(), value: 1.0, percentile: 99.0 };
        Finding {
            artifact,
            region,
            evidence: measured.then_some(evidence),
            explanation: format!("{by} on {artifact}"),
            said_by: vec![by.to_owned()],
        }
    }

    fn explain(explainers: Vec<Box<dyn Explainer>>) -> Result<Explanation, Error> {
        let picture = Picture::new(vec![0; 27], 3, 3).expect("3x3");
        let mut values = vec![0.0; 9];
        values[8] = 1.0;
        let map = HeatMap::scaled(values, 3, 3);
        let subject =
            Subject { picture: &picture, map: &map, label: Label::Fake, p_fake: 0.9, class: None };
        Combined::new(explainers).explain(&subject)
    }

    #[test]
    fn agreement_evidence_and_the_map_decide_the_order() {
        let a = vec![
            finding("a", 0, None, false),
            finding("a", 1, Some(Region::TopLeft), false),
            finding("a", 2, Some(Region::BottomRight), false),
        ];
        let b = vec![finding("b", 3, None, true), finding("b", 1, None, true)];
        let found = explain(vec![Box::new(Parrot("a", Some(a))), Box::new(Parrot("b", Some(b)))])
            .expect("both speak");
        let order: Vec<String> = found.findings.iter().map(|f| f.artifact.to_string()).collect();
        let expected = [1, 2, 3, 0].map(|at| finding("", at, None, false).artifact.to_string());
        assert_eq!(order, expected);
        let both = &found.findings[0];
        assert_eq!(both.said_by, ["a", "b"]);
        assert!(both.explanation.starts_with('b'), "the one that measured: {}", both.explanation);
        assert_eq!(both.region, Some(Region::TopLeft), "kept if the other names none");
    }

    #[test]
    fn a_silent_explainer_is_named_and_costs_nothing() {
        let a = vec![finding("a", 4, None, false)];
        let found = explain(vec![Box::new(Parrot("mute", None)), Box::new(Parrot("a", Some(a)))])
            .expect("one speaks");
        assert_eq!(found.findings.len(), 1);
        assert!(found.remarks[0].starts_with("mute said nothing"), "{:?}", found.remarks);
        assert!(found.remarks[0].contains("broken"), "the cause: {:?}", found.remarks);
        assert!(explain(vec![Box::new(Parrot("mute", None))]).is_err());
    }

    #[test]
    fn failures_are_told_with_their_causes_once() {
        let deep = Error::Write {
            path: "a.json".into(),
            source: std::io::Error::other("the disk is full"),
        };
        assert_eq!(told(&deep), "cannot write a.json: the disk is full");
        let combined = Combined::new(vec![Box::new(Parrot("mute", None))]);
        let picture = Picture::new(vec![0; 27], 3, 3).expect("3x3");
        let map = HeatMap::scaled(vec![0.0; 9], 3, 3);
        let subject =
            Subject { picture: &picture, map: &map, label: Label::Fake, p_fake: 0.9, class: None };
        assert!(combined.explain(&subject).is_err());
        assert_eq!(combined.take_failures().len(), 1);
        assert_eq!(combined.take_failures(), Vec::<String>::new());
    }

    #[test]
    fn a_list_is_never_longer_than_seven() {
        let all: Vec<Finding> = (0..70).map(|at| finding("a", at, None, false)).collect();
        let found = explain(vec![Box::new(Parrot("a", Some(all)))]).expect("it speaks");
        assert_eq!(found.findings.len(), MAX_FINDINGS);
    }
}
