//! Artifacts named by measurements.

use std::borrow::Cow;
use std::sync::LazyLock;

use cifake::{Filter, Label, Picture};
use gradcam::{HeatMap, Region, regions};

use super::view::View;
use super::{Calibration, Measure, Side};
use crate::{Error, Evidence, Explainer, Explanation, Finding, MAX_FINDINGS, Subject};

/// Number of regions that count as those at which the detector looked.
const LOOKED_AT: usize = 4;
/// Share of a measure's map from which on its strongest region is the measure's place. An even map
/// has 1/9 in each.
const LEAST_SHARE: f64 = 0.14;
/// Number of findings below which a remark tells that they are few.
const FEW: usize = 3;

static CALIBRATION: &str = include_str!("calibration.json");
static EMBEDDED: LazyLock<Calibration> = LazyLock::new(|| {
    Calibration::from_json(CALIBRATION.as_bytes()).expect("the embedded calibration is tested")
});

/// Names artifacts of a FAKE picture by measurements.
///
/// Each measure that the calibration uses is compared with camera pictures. Its artifact is named
/// on two conditions. Few camera pictures are as far out, and most of the value comes from one of
/// the four strongest regions of the detector's map. If the value comes from everywhere alike, the
/// artifact is named without a region.
#[derive(Debug, Clone)]
pub struct EvidenceExplainer {
    calibration: Calibration,
}

impl EvidenceExplainer {
    /// Uses the calibration that comes with the crate, made of CIFAKE's training pictures.
    #[must_use]
    pub fn embedded() -> Self {
        Self { calibration: EMBEDDED.clone() }
    }

    /// Uses another calibration.
    #[must_use]
    pub fn new(calibration: Calibration) -> Self {
        Self { calibration }
    }

    /// The calibration with which its measurements are compared.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// `picture` at the calibration's size: as it is, or reduced; `None` if it is smaller.
    fn measurable<'a>(&self, picture: &'a Picture) -> Option<Cow<'a, Picture>> {
        let side = self.calibration.side();
        if (picture.width(), picture.height()) == (side, side) {
            return Some(Cow::Borrowed(picture));
        }
        let is_large = picture.width().min(picture.height()) >= side;
        is_large.then(|| Cow::Owned(picture.resized(side, side, Filter::Lanczos)))
    }

    /// The measures that are out of the ordinary, furthest first, with their values and maps.
    fn outliers(&self, view: &View) -> Vec<(Measure, f64, HeatMap)> {
        let mut found = Vec::new();
        for measure in Measure::all() {
            let spread = self.calibration.spread(measure);
            if !spread.is_used() {
                continue;
            }
            let measured = measure.of(view);
            let tail = spread.tail(measured.value, measure.side());
            if tail <= self.calibration.tail() {
                found.push((tail, (measure, measured.value, measured.heat_map())));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.into_iter().map(|(_, outlier)| outlier).collect()
    }

    fn finding(&self, measure: Measure, value: f64, region: Option<Region>) -> Finding {
        let percentile = self.calibration.spread(measure).percentile(value);
        let evidence = Evidence { measure: measure.name().to_owned(), value, percentile };
        let (side, share) = match measure.side() {
            Side::Low => ("lower", 100.0 - percentile),
            Side::High => ("higher", percentile),
        };
        // Rounded down, so that the text never exceeds the measurement.
        let of = match share {
            share if share >= 100.0 => "any of the".to_owned(),
            share => format!("{:.1} % of", (share * 10.0 + 1e-6).floor() / 10.0),
        };
        let unit = if measure.unit().is_empty() { "" } else { " " };
        let place = match &region {
            Some(region) => format!("most of all in the {region}"),
            None => "everywhere alike".to_owned(),
        };
        let (first, rest) = measure.means().split_at(1);
        let explanation = format!(
            "{}{rest}, {place}: {} {value:.3}{unit}{}, {side} than in {of} camera pictures.",
            first.to_uppercase(),
            measure.name(),
            measure.unit(),
        );
        Finding {
            artifact: measure.artifact(),
            region,
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

    /// Never fails. A larger picture than the calibration's is measured on a reduced copy, and a
    /// remark tells it. A smaller picture is not measured.
    fn explain(&self, subject: &Subject<'_>) -> Result<Explanation, Error> {
        let mut explanation = Explanation::default();
        if subject.label == Label::Real {
            return Ok(explanation);
        }
        if subject.map.is_flat() {
            let remark = "The map is flat: nothing says where the detector looked.";
            explanation.remarks.push(remark.to_owned());
            return Ok(explanation);
        }
        let side = self.calibration.side();
        let Some(picture) = self.measurable(subject.picture) else {
            let remark = format!("Nothing was measured: the picture is below {side}\u{d7}{side}.");
            explanation.remarks.push(remark);
            return Ok(explanation);
        };
        if let Cow::Owned(_) = picture {
            explanation.remarks.push(format!(
                "The measurements are those of a copy of {side}\u{d7}{side} pixels, the size of the \
                 camera pictures that they are compared with."
            ));
        }
        let strongest_first = regions(subject.map).into_iter().take(LOOKED_AT);
        let looked_at: Vec<Region> =
            strongest_first.filter(|r| r.share > 0.0).map(|r| r.region).collect();
        let possible = |measure: Measure| match subject.class {
            Some(class) => measure.artifact().can_concern(class),
            None => measure.artifact().concerns_anything(),
        };
        for (measure, value, map) in self.outliers(&View::new(&picture)) {
            let region = strongest(&map);
            let is_looked_at = region.is_none_or(|region| looked_at.contains(&region));
            if possible(measure) && is_looked_at {
                explanation.findings.push(self.finding(measure, value, region));
            }
        }
        explanation.findings.truncate(MAX_FINDINGS);
        let remark = match explanation.findings.len() {
            0 => Some("No measurement is out of the ordinary where the detector looked."),
            n if n < FEW => Some("Few measurements are out of the ordinary in this picture."),
            _ => None,
        };
        explanation.remarks.extend(remark.map(str::to_owned));
        Ok(explanation)
    }
}

/// The region from which most of a measure comes; `None` if it comes from everywhere.
fn strongest(map: &HeatMap) -> Option<Region> {
    let first = regions(map).into_iter().next().filter(|found| found.share >= LEAST_SHARE);
    first.filter(|_| !map.is_flat()).map(|found| found.region)
}

#[cfg(test)]
mod tests {
    use cifake::Picture;

    use super::super::Spread;
    use super::*;

    /// The one measure that is used: the share of the pixels of which a channel is black.
    const MEASURE: &str = "clipped dark";

    /// Camera pictures have values of `MEASURE` from 0 to 0.099.
    fn explainer(tail: f64) -> EvidenceExplainer {
        let values: Vec<(Label, f64)> = (0..100)
            .flat_map(|i| [(Label::Real, f64::from(i) / 1000.0), (Label::Fake, 0.5)])
            .collect();
        let spread = |measure: Measure| Spread::new(measure, &values, measure.name() == MEASURE);
        let spreads = Measure::all().map(spread).collect::<Result<_, _>>().expect("both labels");
        let calibration = Calibration::new("a test".to_owned(), 32, tail, spreads);
        EvidenceExplainer::new(calibration.expect("one for each measure"))
    }

    /// Grey, with a black square of `side` pixels in the upper left corner.
    fn picture(side: usize) -> Picture {
        let is_black = |at: usize| at / 32 < side && at % 32 < side;
        let pixels = (0..32 * 32).flat_map(|at| [if is_black(at) { 0 } else { 128 }; 3]);
        Picture::new(pixels.collect(), 32, 32).expect("32x32")
    }

    /// A map whose hot place of four by four is at (`y`, `x`).
    fn map(y: usize, x: usize) -> HeatMap {
        let values = (0..16).map(|place| f32::from(u8::from(place == 4 * y + x)));
        HeatMap::scaled(values.collect(), 4, 4)
    }

    fn explain(tail: f64, picture: &Picture, map: &HeatMap, label: Label) -> Explanation {
        let subject = Subject { picture, map, label, p_fake: 0.5, class: None };
        explainer(tail).explain(&subject).expect("the picture has the size")
    }

    #[test]
    fn what_is_out_of_the_ordinary_where_the_detector_looked_is_named_there() {
        let found = explain(5.0, &picture(11), &map(0, 0), Label::Fake);
        let [finding] = &found.findings[..] else { panic!("one: {found:?}") };
        assert_eq!(finding.artifact.name(), "Artificial enhancement artifacts");
        assert_eq!(finding.region, Some(Region::TopLeft));
        let evidence = finding.evidence.as_ref().expect("it was measured");
        assert_eq!((evidence.measure.as_str(), evidence.value), (MEASURE, 121.0 / 1024.0));
        assert_eq!((evidence.percentile, &*finding.said_by[0]), (100.0, "evidence"));
        let says = "most of all in the top left: clipped dark 0.118 of the pixels, higher than in any \
                    of the camera pictures.";
        assert!(finding.explanation.ends_with(says), "{}", finding.explanation);
        assert_eq!(found.remarks.len(), 1, "one finding is few: {found:?}");
    }

    #[test]
    fn elsewhere_in_camera_pictures_and_of_real_ones_nothing_is_named() {
        // 6 x 6 of 1,024 pixels are 0.035, as every third camera picture has them.
        for (picture, map, label) in [
            (picture(11), map(3, 3), Label::Fake),
            (picture(6), map(0, 0), Label::Fake),
            (picture(11), map(0, 0), Label::Real),
            (picture(11), HeatMap::scaled(vec![1.0; 16], 4, 4), Label::Fake),
        ] {
            let found = explain(5.0, &picture, &map, label);
            assert_eq!(found.findings, [], "{label}");
            assert_eq!(found.remarks.is_empty(), label == Label::Real);
        }
        assert_eq!(explain(50.0, &picture(8), &map(0, 0), Label::Fake).findings.len(), 1);
    }

    #[test]
    fn what_is_everywhere_is_named_without_a_region() {
        let found = explain(5.0, &picture(32), &map(3, 3), Label::Fake);
        assert_eq!((found.findings.len(), &found.findings[0].region), (1, &None));
        assert!(found.findings[0].explanation.contains("everywhere alike"));
    }

    #[test]
    fn a_larger_picture_is_measured_on_a_reduced_copy_and_a_smaller_one_is_not() {
        let small = picture(11);
        let pixel = |at: usize| {
            let (y, x) = (at / 128 / 4, at % 128 / 4);
            <[u8; 3]>::try_from(&small.pixels()[(y * 32 + x) * 3..][..3]).expect("three channels")
        };
        let pixels = (0..64 * 128).flat_map(pixel).collect();
        let large = Picture::new(pixels, 128, 64).expect("128x64");
        let found = explain(5.0, &large, &map(0, 0), Label::Fake);
        assert_eq!(found.findings.len(), 1, "{found:?}");
        assert!(found.remarks[0].contains("copy of 32\u{d7}32 pixels"), "{found:?}");
        let low = Picture::new(vec![0; 16 * 32 * 3], 32, 16).expect("32x16");
        let found = explain(5.0, &low, &map(0, 0), Label::Fake);
        assert!(found.findings.is_empty() && found.remarks[0].contains("Nothing was measured"));
    }

    #[test]
    fn the_embedded_calibration_is_of_these_measures() {
        let calibration = EvidenceExplainer::embedded().calibration().clone();
        assert_eq!(calibration.side(), 32);
        let n_used = Measure::all().filter(|m| calibration.spread(*m).is_used()).count();
        assert!((11..Measure::all().len()).contains(&n_used), "{n_used}");
    }
}
