//! The content of a report.

use cifake::{Answer, InputFit, Label, Picture, Scope};
use gradcam::{Colormap, HeatMap, RegionShare, overlay, reduced, regions};
use image::RgbImage;

use super::limit::{self, Facts};
use super::number;
use super::provenance::Provenance;
use crate::explanation::OPACITY;
use crate::{Explanation, Subject};

/// Longest side of the given picture in pages and overlays, in pixels.
const MAX_SHOWN: u32 = 1024;
/// Number of regions that the text names.
const N_NAMED: usize = 3;
/// Share of the map below which a region is not named.
const LEAST_NAMED: f64 = 0.01;

/// The report on one picture: verdict, map, artifacts and limits.
///
/// ```
/// use cifake::{Label, Picture};
/// use explain::{Explanation, Provenance, Report, Subject};
/// use gradcam::{HeatMap, Method};
///
/// let picture = Picture::new(vec![128; 32 * 32 * 3], 32, 32)?;
/// let map = HeatMap::center_prior(8, 8);
/// let subject =
///     Subject { picture: &picture, map: &map, label: Label::Fake, p_fake: 0.97, class: None };
/// let provenance = Provenance {
///     path: "grey.png".to_owned(),
///     width: 640,
///     height: 640,
///     model: "a model".to_owned(),
///     threshold: 0.5,
///     method: Method::GradCam,
/// };
/// let report = Report::new(provenance, &subject, Explanation::default());
/// assert!(report.to_string().starts_with("FAKE: grey.png\n"));
/// assert!(report.html().starts_with("<!doctype html>"));
/// # Ok::<(), cifake::Error>(())
/// ```
///
/// Its [`Display`](std::fmt::Display) is [`text`](Self::text) of 80 columns, its `Serialize` the
/// JSON of [`json`](Self::json).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Origin of the picture and the verdict.
    pub provenance: Provenance,
    /// The verdict.
    pub label: Label,
    /// Probability that the picture is FAKE.
    pub p_fake: f32,
    /// The verdict, or UNSURE where the model cannot tell; see [`answering`](Self::answering).
    pub answer: Answer,
    /// Share of pictures like those of the training that are less familiar, in percent, if known.
    pub familiarity: Option<f32>,
    /// The basis of the answer.
    pub scope: Scope,
    /// The picture as the model saw it.
    pub picture: Picture,
    /// The given picture, reduced to at most 1,024 pixels a side, if the model saw a resized one.
    pub original: Option<Picture>,
    /// The detector's map.
    pub map: HeatMap,
    /// The nine regions, strongest first; empty for a flat map.
    pub regions: Vec<RegionShare>,
    /// The artifacts and remarks.
    pub explanation: Explanation,
    /// Limits of the report, in sentences. More may be added.
    pub limits: Vec<String>,
    /// The statements of the file about its own origin; see [`declaring`](Self::declaring).
    pub declared: Vec<String>,
    /// Version of this crate.
    pub version: String,
}

impl Report {
    /// Colors of the map.
    pub(super) const COLORMAP: Colormap = Colormap::Viridis;

    /// The report of `explanation` on `subject`.
    #[must_use]
    pub fn new(provenance: Provenance, subject: &Subject<'_>, explanation: Explanation) -> Self {
        let Subject { picture, map, label, p_fake, .. } = *subject;
        let mut report = Self {
            provenance,
            label,
            p_fake,
            answer: label.into(),
            familiarity: None,
            scope: Scope::Native,
            picture: picture.clone(),
            original: None,
            map: map.clone(),
            regions: if map.is_flat() { Vec::new() } else { regions(map) },
            explanation,
            limits: Vec::new(),
            declared: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        report.scope = report.input().into();
        report.limits = report.fresh_limits();
        report
    }

    /// Sets the answer, which may be UNSURE, the picture's familiarity in percent if it is known, and
    /// the basis of the answer. The limits are written anew.
    #[must_use]
    pub fn answering(mut self, answer: Answer, familiarity: Option<f32>, scope: Scope) -> Self {
        (self.answer, self.familiarity, self.scope) = (answer, familiarity, scope);
        self.limits = self.fresh_limits();
        self
    }

    /// Adds what the file says of its own origin, as untrusted text, in a section of its own. It changes
    /// neither the answer nor its probability.
    #[must_use]
    pub fn declaring(self, statements: impl IntoIterator<Item = String>) -> Self {
        Self { declared: statements.into_iter().collect(), ..self }
    }

    /// The lists of sentences that follow the artifacts, with their titles.
    pub(super) fn lists(&self) -> [(&'static str, &[String]); 3] {
        [
            ("What the file declares", &self.declared),
            ("Remarks", &self.explanation.remarks),
            ("What this cannot tell", &self.limits),
        ]
    }

    /// Shows `picture`, the given one at its own size, in pages and overlays. It is reduced to at most
    /// 1,024 pixels a side, and left out if the model saw its own pixels.
    #[must_use]
    pub fn showing(mut self, picture: &Picture) -> Self {
        self.original = (self.input() == InputFit::Resized).then(|| reduced(picture, MAX_SHOWN));
        self
    }

    /// The picture to show: the given one, or the one that the model saw.
    #[must_use]
    pub fn shown(&self) -> &Picture {
        self.original.as_ref().unwrap_or(&self.picture)
    }

    /// Whether the model saw the picture's own pixels.
    #[must_use]
    pub fn input(&self) -> InputFit {
        let (given, seen) = (&self.provenance, &self.picture);
        if (given.width, given.height) == (seen.width(), seen.height()) {
            InputFit::Native
        } else {
            InputFit::Resized
        }
    }

    /// The [shown](Self::shown) picture under the map, which is stretched over it. Pixels are repeated
    /// by a whole factor until the longer side has at least `side` of them.
    #[must_use]
    pub fn overlay(&self, side: u32) -> RgbImage {
        overlay(self.shown(), &self.map, Self::COLORMAP, OPACITY, side)
    }

    fn fresh_limits(&self) -> Vec<String> {
        let findings = &self.explanation.findings;
        let has = |measured: bool| findings.iter().any(|f| f.evidence.is_some() == measured);
        limit::limits(&Facts {
            answer: self.answer,
            label: self.label,
            scope: self.scope,
            seen: (self.picture.width(), self.picture.height()),
            given: (self.provenance.width, self.provenance.height),
            method: self.provenance.method,
            has_map: !self.regions.is_empty(),
            has_measured: has(true),
            has_unmeasured: has(false),
        })
    }

    /// Name of the map's method.
    pub(super) fn method(&self) -> &'static str {
        self.provenance.method.as_str()
    }

    /// The verdict as a sentence.
    pub(super) fn sentence(&self) -> String {
        let percent = number::percent(self.p_fake.into());
        format!("The model puts the probability that this picture was generated at {percent}")
    }

    /// The reason why the model is unsure, as a sentence; `None` if it is sure.
    pub(super) fn doubt(&self) -> Option<String> {
        if self.answer != Answer::Unsure {
            return None;
        }
        Some(match (self.scope, self.familiarity) {
            (Scope::Unfamiliar, Some(share)) => format!(
                "The model does not know: this picture is unlike those that it learned from. Of the pictures \
                 that it knows, {} are as strange",
                number::percent(f64::from(share) / 100.0)
            ),
            (Scope::Unfamiliar, None) => "The model does not know: this picture is unlike those that it \
                                          learned from"
                .to_owned(),
            _ => "The model does not know: the picture is too close to the line between REAL and FAKE, \
                  where its answers are often wrong"
                .to_owned(),
        })
    }

    /// The strongest regions with their shares, in words.
    pub(super) fn strongest(&self) -> String {
        let named = self.regions.iter().take(N_NAMED).filter(|region| region.share >= LEAST_NAMED);
        let words = named.map(|r| format!("{} {:.0} %", r.region, 100.0 * r.share));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The threshold in percent, with as few digits as it needs.
    pub(super) fn threshold(&self) -> String {
        // In steps of a thousandth: a threshold of 0.9 is 0.89999998 as an f64.
        format!("{} %", (f64::from(self.provenance.threshold) * 1e5).round() / 1e3)
    }

    /// Name and version of this crate.
    pub(super) fn maker(&self) -> String {
        format!("{} {}", env!("CARGO_PKG_NAME"), self.version)
    }
}
