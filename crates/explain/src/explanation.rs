//! What is said of a picture, and what stands behind it.

use cifake::{Label, Picture};
use gradcam::{Colours, HeatMap, overlay};
use serde::{Deserialize, Serialize};

use crate::{Artifact, Error};

/// How strongly a map covers its picture where it is strongest.
pub(crate) const OPACITY: f32 = 0.7;
/// Pixels of the longer side of the map that a language model on this machine is shown, at least.
const SHOWN_SIDE: u32 = 256;

/// A picture with its verdict: what there is to explain.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The picture as the detector saw it.
    pub picture: &'a Picture,
    /// Where the detector looked, whatever its size.
    pub map: &'a HeatMap,
    /// The verdict.
    pub label: Label,
    /// Probability that the picture is FAKE.
    pub p_fake: f32,
    /// What it shows, if known: one of CIFAR-10's ten classes.
    pub class: Option<&'a str>,
}

impl Subject<'_> {
    /// What a language model on this machine is shown and trained on: the picture as it is, and under its map
    /// enlarged by a whole factor to at least 256 pixels, since a map has no pixels of its own.
    #[must_use]
    pub fn shown(&self) -> [Picture; 2] {
        let covered = overlay(self.picture, self.map, Colours::Viridis, OPACITY, SHOWN_SIDE);
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
    /// What was measured, in the measure's unit.
    pub value: f64,
    /// Share of camera pictures with a lower value, 0 to 100.
    pub percentile: f64,
}

/// An artifact that is said to be in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub artifact: Artifact,
    /// Where it is: a name of [`gradcam::REGIONS`], or nothing where it is everywhere.
    pub region: Option<String>,
    /// What was measured, if anything was.
    pub evidence: Option<Evidence>,
    /// At most [`MAX_WORDS`] words.
    pub explanation: String,
    /// Names of the explainers that said so.
    pub said_by: Vec<String>,
}

/// What an explainer says of a picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The artifacts, strongest first, each once; none of a REAL picture.
    pub findings: Vec<Finding>,
    /// What a reader should know besides: that there are few findings, that an answer was mended.
    pub remarks: Vec<String>,
}

/// Artifacts of a picture, at most.
pub const MAX_FINDINGS: usize = 7;
/// Words of an explanation, at most.
pub const MAX_WORDS: usize = 50;

/// Whatever names the artifacts of a picture.
pub trait Explainer: Send + Sync {
    /// By which its findings are told from those of others.
    fn name(&self) -> &str;

    /// Names the artifacts of `subject`: at most [`MAX_FINDINGS`], and none where the verdict is
    /// REAL.
    ///
    /// # Errors
    ///
    /// Where it cannot: a model that does not answer, or answers what cannot be read.
    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error>;
}
