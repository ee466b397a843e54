//! A report for machines.

use cifake::{Answer, InputFit, Label, Scope};
use gradcam::Region;
use serde::{Serialize, Serializer};

use super::Report;
use crate::{Artifact, Evidence, Finding};

/// The fields of a report, whose names and order stay.
#[derive(Serialize)]
struct Fields<'a> {
    path: &'a str,
    label: Label,
    p_fake: f32,
    width: u32,
    height: u32,
    input: InputFit,
    model: &'a str,
    threshold: f32,
    answer: Answer,
    familiarity: Option<f32>,
    scope: Scope,
    artifacts: Vec<ArtifactFields<'a>>,
    map: &'static str,
    regions: &'a [Region],
    remarks: &'a [String],
    limits: &'a [String],
    version: &'a str,
}

#[derive(Serialize)]
struct ArtifactFields<'a> {
    name: Artifact,
    region: Option<&'a str>,
    evidence: Option<&'a Evidence>,
    explanation: &'a str,
    said_by: &'a [String],
}

impl<'a> From<&'a Finding> for ArtifactFields<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            name: finding.artifact,
            region: finding.region.as_deref(),
            evidence: finding.evidence.as_ref(),
            explanation: &finding.explanation,
            said_by: &finding.said_by,
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let provenance = &self.provenance;
        let fields = Fields {
            path: &provenance.path,
            label: self.label,
            p_fake: self.p_fake,
            width: provenance.width,
            height: provenance.height,
            input: self.input(),
            model: &provenance.model,
            threshold: provenance.threshold,
            answer: self.answer,
            familiarity: self.familiarity,
            scope: self.scope,
            artifacts: self.explanation.findings.iter().map(Into::into).collect(),
            map: self.method(),
            regions: &self.regions,
            remarks: &self.explanation.remarks,
            limits: &self.limits,
            version: &self.version,
        };
        fields.serialize(serializer)
    }
}

impl Report {
    /// One line of JSON: `path`, `label`, `p_fake`, `width`, `height`, `input`, `model`,
    /// `threshold`, `answer`, `familiarity`, `scope`, `artifacts` of `name`, `region`, `evidence` of `measure`, `value` and
    /// `percentile`, `explanation` and `said_by`, then `map`, `regions` of `name` and `share`,
    /// `remarks`, `limits` and `version`. What is not there is `null` or an empty list.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}
