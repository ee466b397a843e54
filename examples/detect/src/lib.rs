//! What `detect` and `explain` share.

mod explainer;

use std::path::Path;

use explain::{Inquiry, Provenance, Report};
use gradcam::Method;
use tinyvit::Detector;

pub use explainer::ExplainerArgs;

/// The report of `inquiry`, whose maps are drawn by `method`, on the picture in the file at `path`.
///
/// # Errors
///
/// If it is no picture, or cannot be explained.
pub fn report(
    detector: &Detector,
    inquiry: &Inquiry<'_>,
    method: Method,
    path: &Path,
    class: Option<&str>,
) -> anyhow::Result<Report> {
    let (width, height) = detector.input_size();
    let fitted = detector.decoder().read_fitted(path, width, height)?;
    let verdict = detector.detect_fitted(&fitted)?;
    let provenance = Provenance {
        path: path.display().to_string(),
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
