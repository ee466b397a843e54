//! Reports as JSON.

use cifake::{Answer, InputFit, Label, Scope};
use gradcam::{Region, RegionShare};
use serde::{Serialize, Serializer};

use super::content::Report;
use crate::{Artifact, Evidence, Finding};

/// The fields of a report. Their names and order are stable.
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
    regions: &'a [RegionShare],
    remarks: &'a [String],
    limits: &'a [String],
    version: &'a str,
}

#[derive(Serialize)]
struct ArtifactFields<'a> {
    name: Artifact,
    region: Option<Region>,
    evidence: Option<&'a Evidence>,
    explanation: &'a str,
    said_by: &'a [String],
}

impl<'a> From<&'a Finding> for ArtifactFields<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            name: finding.artifact,
            region: finding.region,
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
    /// One line of JSON. Its fields are `path`, `label`, `p_fake`, `width`, `height`, `input`,
    /// `model`, `threshold`, `answer`, `familiarity`, `scope`, `artifacts`, `map`, `regions`,
    /// `remarks`, `limits` and `version`.
    ///
    /// An artifact has `name`, `region`, `evidence` (`measure`, `value`, `percentile`),
    /// `explanation` and `said_by`; a region has `name` and `share`. Absent values are `null` or empty
    /// lists. The statements of the file are not among them: they are data, and
    /// [`declared`](Self::declared) is their text.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}
