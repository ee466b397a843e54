//! Explanations: named artifacts with their places and measurements.

use std::collections::HashSet;

use cifake::{Class, Label, Picture};
use gradcam::{Colormap, HeatMap, Region, overlay};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Artifact, Error};

/// Opacity of a map over its picture at the map's strongest place.
pub(crate) const OPACITY: f32 = 0.7;
/// Least longer side of the covered picture for a language model on this machine, in pixels.
const SHOWN_SIDE: u32 = 256;

/// A picture with its verdict and map: the input of an explainer.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The picture as the detector saw it.
    pub picture: &'a Picture,
    /// The detector's map, of any size.
    pub map: &'a HeatMap,
    /// The verdict.
    pub label: Label,
    /// Probability that the picture is FAKE.
    pub p_fake: f32,
    /// The class of its subject, if known.
    pub class: Option<Class>,
}

impl Subject<'_> {
    /// The two pictures that a language model on this machine is shown and trained on: the picture
    /// itself, and the picture under its map. The second is enlarged by a whole factor to a longer
    /// side of at least 256 pixels.
    #[must_use]
    pub fn shown(&self) -> [Picture; 2] {
        let covered = overlay(self.picture, self.map, Colormap::Viridis, OPACITY, SHOWN_SIDE);
        let (width, height) = covered.dimensions();
        let covered = Picture::new(covered.into_raw(), width, height);
        [self.picture.clone(), covered.expect("an image has all of its pixels")]
    }
}

/// A measurement out of the ordinary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Name of the measure.
    pub measure: String,
    /// The value, in the measure's unit.
    pub value: f64,
    /// Share of camera pictures with a lower value, 0 to 100.
    pub percentile: f64,
}

/// An artifact that an explainer found in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub artifact: Artifact,
    /// Its place; `None` if it is everywhere, or nobody named a place.
    pub region: Option<Region>,
    /// The measurement behind it, if there is one.
    pub evidence: Option<Evidence>,
    /// The explanation in words, at most [`MAX_WORDS`].
    pub explanation: String,
    /// Names of the explainers that found it.
    pub said_by: Vec<String>,
}

/// The findings of an explainer about a picture.
///
/// Deserialization refuses more than [`MAX_FINDINGS`] findings, and an artifact that is named twice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The artifacts, strongest first, each once; empty for a REAL picture.
    #[serde(deserialize_with = "distinct")]
    pub findings: Vec<Finding>,
    /// Remarks for the reader, such as that there are few findings, or that an answer was repaired.
    pub remarks: Vec<String>,
}

fn distinct<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Finding>, D::Error> {
    let findings = Vec::<Finding>::deserialize(deserializer)?;
    let artifacts: HashSet<Artifact> = findings.iter().map(|finding| finding.artifact).collect();
    if artifacts.len() == findings.len() && findings.len() <= MAX_FINDINGS {
        return Ok(findings);
    }
    let n = findings.len();
    Err(serde::de::Error::custom(format!("{n} findings are not at most 7 different artifacts")))
}

/// Most artifacts of a picture.
pub const MAX_FINDINGS: usize = 7;
/// Most words of an explanation.
pub const MAX_WORDS: usize = 50;

/// Names the artifacts of pictures.
pub trait Explainer: Send + Sync {
    /// The name under which its findings are reported.
    fn name(&self) -> &str;

    /// The artifacts of `subject`: at most [`MAX_FINDINGS`], and none if the verdict is REAL.
    ///
    /// # Errors
    ///
    /// If a model cannot be asked, or its answer cannot be read.
    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error>;
}

impl<E: Explainer + ?Sized> Explainer for &E {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        (**self).explain(subject)
    }
}

impl<E: Explainer + ?Sized> Explainer for Box<E> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        (**self).explain(subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_that_break_their_rules_are_not_deserialized() {
        let finding = |at: usize| {
            let artifact = Artifact::all().nth(at).expect("of the seventy");
            let (region, evidence) = (Some(Region::Center), None);
            let (explanation, said_by) = ("flat".to_owned(), vec![]);
            Finding { artifact, region, evidence, explanation, said_by }
        };
        let json = |places: &[usize]| {
            let findings = places.iter().map(|&at| finding(at)).collect();
            serde_json::to_string(&Explanation { findings, remarks: vec![] }).expect("plain data")
        };
        let read = |json: &str| serde_json::from_str::<Explanation>(json);
        let whole = json(&[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(read(&whole).expect("seven").findings.len(), 7);
        assert!(read(&json(&[1, 1])).is_err() && read(&json(&[0, 1, 2, 3, 4, 5, 6, 7])).is_err());
        assert!(read(&whole.replacen("\"centre\"", "\"the left paw\"", 1)).is_err());
    }
}
