//! Colors and lengths of elements.

use cifake::Answer;

/// The CSS class of an answer's color.
pub(super) fn tone(answer: Answer) -> &'static str {
    match answer {
        Answer::Real => "real",
        Answer::Fake => "fake",
        Answer::Unsure => "unsure",
    }
}

/// A share of a length in percent, 0 to 100; 0 if it is not finite.
pub(super) fn length(share: f64) -> f64 {
    if share.is_finite() { 100.0 * share.clamp(0.0, 1.0) } else { 0.0 }
}
