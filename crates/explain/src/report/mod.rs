//! All that is said of one picture, as text, Markdown, JSON or an HTML page.
//!
//! A path, a model's name and a language model's answer come from outside. Every form but JSON,
//! which is for machines, leaves out what steers a terminal or cannot be seen, and escapes its own
//! markup.

mod contest;
mod html;
mod json;
mod limit;
mod markdown;
mod number;
mod terminal;
#[cfg(test)]
mod tests;

use cifake::{Answer, InputFit, Label, Picture, Scope};
use gradcam::{Colours, HeatMap, Method, Region, overlay, regions};
use image::RgbImage;

pub use contest::{contest_explanations, contest_predictions};
pub use html::html_page;

use crate::explanation::OPACITY;
use crate::{Explanation, Subject};

/// Regions that are named in text.
const N_NAMED: usize = 3;
/// Share of the map below which a region is not named.
const LEAST_NAMED: f64 = 0.01;
/// Columns of [`Display`](std::fmt::Display).
const WIDTH: usize = 80;

/// Where a picture and its verdict come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Name of the picture.
    pub path: String,
    /// Width of the picture as it was given, in pixels.
    pub width: u32,
    /// Height of the picture as it was given, in pixels.
    pub height: u32,
    /// The model that gave the verdict.
    pub model: String,
    /// The probability from which on a picture is called FAKE.
    pub threshold: f32,
    /// How the map was drawn.
    pub method: Method,
}

/// All that is said of one picture.
///
/// ```
/// use cifake::{Label, Picture};
/// use explain::{Explanation, Provenance, Report, Subject};
/// use gradcam::{HeatMap, Method};
///
/// let picture = Picture::new(vec![128; 32 * 32 * 3], 32, 32)?;
/// let map = HeatMap::centre_prior(8, 8);
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
    /// Where the picture and the verdict come from.
    pub provenance: Provenance,
    /// The verdict.
    pub label: Label,
    /// Probability that the picture is FAKE.
    pub p_fake: f32,
    /// The verdict, or UNSURE where the model cannot tell; see [`answering`](Self::answering).
    pub answer: Answer,
    /// Share of pictures like those of the training that are less like them, in percent, if known.
    pub familiarity: Option<f32>,
    /// What the answer rests on.
    pub scope: Scope,
    /// The picture as the model saw it.
    pub picture: Picture,
    /// Where the detector looked.
    pub map: HeatMap,
    /// The nine regions of the picture from the strongest to the weakest; none of a flat map.
    pub regions: Vec<Region>,
    /// The artifacts, and what should be known besides.
    pub explanation: Explanation,
    /// What cannot be concluded, in sentences; more may be added.
    pub limits: Vec<String>,
    /// Version of this crate.
    pub version: String,
}

impl Report {
    /// Colours of the map.
    const COLOURS: Colours = Colours::Viridis;

    /// Reports `explanation` of `subject`.
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
            map: map.clone(),
            regions: if map.is_flat() { Vec::new() } else { regions(map) },
            explanation,
            limits: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        report.scope = report.input().into();
        report.limits = limit::limits(&report);
        report
    }

    /// The same with what a detector answers that may be unsure: its answer, the picture's familiarity in
    /// percent if it knows one, and what the answer rests on. The limits are written anew.
    #[must_use]
    pub fn answering(mut self, answer: Answer, familiarity: Option<f32>, scope: Scope) -> Self {
        (self.answer, self.familiarity, self.scope) = (answer, familiarity, scope);
        self.limits = limit::limits(&self);
        self
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

    /// The picture under the map, enlarged so that its longer side has at least `side` pixels; with a
    /// side of 1, one pixel a pixel.
    #[must_use]
    pub fn overlay(&self, side: u32) -> RgbImage {
        overlay(&self.picture, &self.map, Self::COLOURS, OPACITY, side)
    }

    /// Name of the method that drew the map.
    fn method(&self) -> &'static str {
        self.provenance.method.as_str()
    }

    /// The verdict as a sentence.
    fn sentence(&self) -> String {
        let percent = number::percent(self.p_fake.into());
        format!("The model puts the probability that this picture was generated at {percent}")
    }

    /// Why the model is unsure, as a sentence; nothing where it is sure.
    fn doubt(&self) -> Option<String> {
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
    fn strongest(&self) -> String {
        let named = self.regions.iter().take(N_NAMED).filter(|region| region.share >= LEAST_NAMED);
        let words = named.map(|r| format!("{} {:.0} %", r.name, 100.0 * r.share));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The threshold in percent, as short as it can be said.
    fn threshold(&self) -> String {
        // In steps of a thousandth: a threshold of 0.9 is 0.89999998 as an f64.
        format!("{} %", (f64::from(self.provenance.threshold) * 1e5).round() / 1e3)
    }

    /// What made the report.
    fn maker(&self) -> String {
        format!("{} {}", env!("CARGO_PKG_NAME"), self.version)
    }
}
