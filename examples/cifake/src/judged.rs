//! Verdicts of a detector, as explanations need them.

use cifake::{Detector, Fitted};
use explain::Judgment;

/// The verdict of `detector` on `picture`.
///
/// # Errors
///
/// If the network's answer is not finite.
pub fn judged(detector: &Detector, picture: &Fitted) -> Result<Judgment, cifake::Error> {
    let verdict = detector.detect_fitted(picture)?;
    Ok(Judgment {
        label: verdict.label,
        p_fake: verdict.p_fake,
        model: verdict.model,
        threshold: verdict.threshold,
        answer: verdict.answer,
        familiarity: verdict.familiarity,
        scope: verdict.scope,
    })
}
