//! One picture explained.

use cifake::{Detector, Fitted};
use explain::{Inquiry, Provenance, Report};
use gradcam::Method;

/// The report of `inquiry`, whose maps are drawn by `method`, on the picture called `name`.
///
/// # Errors
///
/// If it cannot be judged or explained.
pub fn report(
    detector: &Detector,
    inquiry: &Inquiry<'_>,
    method: Method,
    (name, fitted): (&str, &Fitted),
    class: Option<&str>,
) -> anyhow::Result<Report> {
    let verdict = detector.detect_fitted(fitted)?;
    let provenance = Provenance {
        path: name.to_owned(),
        width: fitted.original_width,
        height: fitted.original_height,
        model: verdict.model,
        threshold: verdict.threshold,
        method,
    };
    let called = (verdict.label, verdict.p_fake);
    let report = inquiry.report(provenance, &fitted.picture, called, class)?;
    Ok(report.answering(verdict.answer, verdict.familiarity, verdict.scope))
}
