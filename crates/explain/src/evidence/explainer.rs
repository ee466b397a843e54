//! Naming artifacts by what was measured.

use std::sync::LazyLock;

use cifake::Label;
use gradcam::{REGIONS, regions};

use super::view::View;
use super::{Calibration, Measure, Side};
use crate::{Error, Evidence, Explainer, Explanation, Finding, MAX_FINDINGS, Subject};

/// How many of the nine regions count as where the detector looked.
const LOOKED_AT: usize = 4;
/// With fewer findings than this a remark says that there are few.
const FEW: usize = 3;

static CALIBRATION: &str = include_str!("calibration.json");
static EMBEDDED: LazyLock<Calibration> = LazyLock::new(|| {
    Calibration::from_json(CALIBRATION.as_bytes()).expect("the embedded calibration is tested")
});

/// Names an artifact of a FAKE picture where the measure that supports it is out of the ordinary, and
/// most so at a place where the detector looked.
///
/// For each measure that its calibration uses, the value of the whole picture is held against camera
/// pictures; if too few of them are as far out, the measure is taken again in nine overlapping
/// windows, one a region, and the artifact is named if the window that is furthest out is among the
/// four regions in which the map is strongest.
#[derive(Debug, Clone)]
pub struct EvidenceExplainer {
    calibration: Calibration,
}

impl EvidenceExplainer {
    /// By the calibration that comes with the crate: CIFAKE's training pictures.
    #[must_use]
    pub fn embedded() -> Self {
        Self { calibration: EMBEDDED.clone() }
    }

    /// By another calibration.
    #[must_use]
    pub fn new(calibration: Calibration) -> Self {
        Self { calibration }
    }

    /// What its measurements are held against.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The measures that are out of the ordinary on the whole picture, furthest first, with values and
    /// percentiles.
    fn outliers(&self, view: &View) -> Vec<(Measure, f64, f64)> {
        let mut found = Vec::new();
        for measure in Measure::all() {
            let spread = self.calibration.spread(measure);
            let value = measure.of(view);
            let tail = spread.tail(value, measure.side());
            if spread.used && tail <= self.calibration.tail {
                found.push((measure, value, tail));
            }
        }
        found.sort_by(|a, b| a.2.total_cmp(&b.2));
        found
    }

    fn finding(&self, measure: Measure, value: f64, region: &str) -> Finding {
        let percentile = self.calibration.spread(measure).percentile(value);
        let evidence = Evidence { measure: measure.name().to_owned(), value, percentile };
        let (side, share) = match measure.side() {
            Side::Low => ("lower", 100.0 - percentile),
            Side::High => ("higher", percentile),
        };
        let unit = if measure.unit().is_empty() { "" } else { " " };
        let (first, rest) = measure.means().split_at(1);
        let explanation = format!(
            "{}{rest}, most of all in the {region}: {} {value:.3}{unit}{}, {side} than in {share:.1} % of \
             camera pictures.",
            first.to_uppercase(),
            measure.name(),
            measure.unit(),
        );
        Finding {
            artifact: measure.artifact(),
            region: Some(region.to_owned()),
            evidence: Some(evidence),
            explanation,
            said_by: vec![self.name().to_owned()],
        }
    }
}

impl Explainer for EvidenceExplainer {
    fn name(&self) -> &str {
        "evidence"
    }

    /// # Errors
    ///
    /// [`Error::PictureSize`] where the picture is not of the calibration's size.
    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        let picture = subject.picture;
        let (width, height) = (picture.width(), picture.height());
        let expected = self.calibration.side;
        if (width, height) != (expected, expected) {
            return Err(Error::PictureSize { expected, width, height });
        }
        let mut explanation = Explanation::default();
        if subject.label == Label::Real {
            return Ok(explanation);
        }
        let say = |remark: &str| remark.to_owned();
        if subject.map.is_flat() {
            explanation
                .remarks
                .push(say("The map is flat: nothing says where the detector looked."));
            return Ok(explanation);
        }
        let view = View::new(picture);
        let windows = view.windows();
        let looked_at: Vec<String> =
            regions(subject.map).into_iter().take(LOOKED_AT).map(|region| region.name).collect();
        let possible = |measure: Measure| match subject.class {
            Some(class) => measure.artifact().can_concern(class),
            None => measure.artifact().concerns_anything(),
        };
        for (measure, value, _) in self.outliers(&view) {
            let region = REGIONS[furthest(measure, &windows)];
            if possible(measure) && looked_at.iter().any(|name| name == region) {
                explanation.findings.push(self.finding(measure, value, region));
            }
        }
        explanation.findings.truncate(MAX_FINDINGS);
        explanation.remarks.extend(match explanation.findings.len() {
            0 => Some(say("No measurement is out of the ordinary where the detector looked.")),
            n if n < FEW => Some(say("Few measurements are out of the ordinary in this picture.")),
            _ => None,
        });
        Ok(explanation)
    }
}

/// The window in which `measure` is furthest out on its side.
fn furthest(measure: Measure, windows: &[View; 9]) -> usize {
    let out = |window: &View| match measure.side() {
        Side::Low => -measure.of(window),
        Side::High => measure.of(window),
    };
    let values = windows.each_ref().map(out);
    // The first of equal ones.
    (0..9).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}
