//! Mean grades of many explanations.

use std::fmt;

use cifake_eval::metrics::Bootstrap;
use serde::{Deserialize, Serialize};

use super::mean::means;
use super::{Mean, Quality};

/// Number of measures.
const N_MEASURES: usize = 9;

/// Mean grades over pictures, with bootstrap intervals. A grade that no picture defines is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// Number of pictures.
    pub n: usize,
    /// See [`SetAgreement::precision`](super::SetAgreement::precision).
    pub precision: Option<Mean>,
    /// See [`SetAgreement::recall`](super::SetAgreement::recall).
    pub recall: Option<Mean>,
    /// See [`SetAgreement::f1`](super::SetAgreement::f1).
    pub f1: Option<Mean>,
    /// See [`SetAgreement::iou`](super::SetAgreement::iou).
    pub iou: Option<Mean>,
    /// See [`PositionAgreement::in_strongest`](super::PositionAgreement::in_strongest).
    pub in_strongest: Option<Mean>,
    /// See [`PositionAgreement::share`](super::PositionAgreement::share).
    pub region_share: Option<Mean>,
    /// Share of the explanations that keep the form.
    pub valid: Option<Mean>,
    /// See [`Quality::rouge_l`].
    pub rouge_l: Option<Mean>,
    /// See [`Quality::cosine`].
    pub cosine: Option<Mean>,
}

impl QualityReport {
    /// Averages `qualities`, one a picture.
    #[must_use]
    pub fn new(qualities: &[Quality], bootstrap: &Bootstrap) -> Self {
        let rows: Vec<_> = qualities.iter().map(measures).collect();
        let [precision, recall, f1, iou, in_strongest, region_share, valid, rouge_l, cosine] =
            means(&rows, bootstrap);
        Self {
            n: qualities.len(),
            precision,
            recall,
            f1,
            iou,
            in_strongest,
            region_share,
            valid,
            rouge_l,
            cosine,
        }
    }
}

fn measures(quality: &Quality) -> [Option<f64>; N_MEASURES] {
    let (artifacts, positions) = (quality.artifacts, quality.positions);
    [
        Some(artifacts.precision),
        Some(artifacts.recall),
        Some(artifacts.f1),
        Some(artifacts.iou),
        positions.map(|positions| positions.in_strongest),
        positions.map(|positions| positions.share),
        Some(f64::from(u8::from(quality.is_valid))),
        quality.rouge_l,
        quality.cosine,
    ]
}

impl fmt::Display for QualityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<22} {:>6} {:>22}", "", "n", "mean")?;
        for (name, mean) in [
            ("precision", self.precision),
            ("recall", self.recall),
            ("F1", self.f1),
            ("IoU", self.iou),
            ("in strongest regions", self.in_strongest),
            ("share of the map", self.region_share),
            ("valid form", self.valid),
            ("ROUGE-L", self.rouge_l),
            ("cosine", self.cosine),
        ] {
            let Some(Mean { n, metric: m }) = mean else {
                write!(f, "\n{name:<22} {:>6} {:>22}", 0, "-")?;
                continue;
            };
            let interval = format!("{:.3} [{:.3}, {:.3}]", m.value, m.low, m.high);
            write!(f, "\n{name:<22} {n:>6} {interval:>22}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::{PositionAgreement, SetAgreement};

    fn quality(iou: f64, positions: Option<f64>) -> Quality {
        let artifacts = SetAgreement { precision: iou, recall: iou, f1: iou, iou };
        let positions = positions.map(|share| PositionAgreement { n: 2, in_strongest: 1.0, share });
        Quality { artifacts, positions, is_valid: iou > 0.5, rouge_l: None, cosine: None }
    }

    #[test]
    fn what_a_picture_does_not_define_is_in_no_mean() {
        let qualities = [quality(1.0, Some(0.3)), quality(0.0, None), quality(0.5, Some(0.5))];
        let report = QualityReport::new(&qualities, &Bootstrap::new(9));
        let mean = |mean: Option<Mean>| mean.map(|mean| (mean.n, mean.metric.value));
        assert_eq!(mean(report.iou), Some((3, 0.5)));
        assert_eq!(mean(report.region_share), Some((2, 0.4)));
        assert_eq!(mean(report.valid), Some((3, 1.0 / 3.0)));
        assert_eq!(report.rouge_l, None);
        let iou = report.iou.expect("three define it").metric;
        assert!(iou.low < 0.5 && iou.high > 0.5 && iou.low >= 0.0 && iou.high <= 1.0, "{iou:?}");
        let json = serde_json::to_string(&report).expect("numbers");
        assert_eq!(serde_json::from_str::<QualityReport>(&json).expect("its own"), report);
        assert!(report.to_string().contains("\nROUGE-L                     0"), "{report}");
    }

    #[test]
    fn no_picture_has_no_mean() {
        assert_eq!(QualityReport::new(&[], &Bootstrap::new(9)).iou, None);
    }
}
