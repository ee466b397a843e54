//! The limits of a report, in sentences.

use cifake::{Answer, Label, Scope};
use gradcam::Method;

/// The facts on which the limits of a report depend.
pub(super) struct Facts {
    pub(super) answer: Answer,
    pub(super) label: Label,
    pub(super) scope: Scope,
    /// Width and height of the picture that the model saw.
    pub(super) seen: (u32, u32),
    /// Width and height of the given picture.
    pub(super) given: (u32, u32),
    pub(super) method: Method,
    /// Whether the map marks any place.
    pub(super) has_map: bool,
    /// Whether an artifact was measured.
    pub(super) has_measured: bool,
    /// Whether an artifact was not measured.
    pub(super) has_unmeasured: bool,
}

/// The limits of every report, and those of this one.
pub(super) fn limits(report: &Facts) -> Vec<String> {
    let (width, height) = report.seen;
    let mut limits = vec![match (report.answer, report.label) {
        (Answer::Unsure, label) if report.scope == Scope::Unfamiliar => format!(
            "UNSURE means that the probability is not to be trusted. It leans to {label}, but the model \
             learned from small photographs and pictures of one generator, and this is like neither."
        ),
        (Answer::Unsure, label) => format!(
            "UNSURE means that no answer is given. The probability leans to {label}; take that for no result."
        ),
        (_, Label::Fake) => {
            "FAKE is an estimate, and no proof that a picture was generated.".to_owned()
        }
        (_, Label::Real) => {
            "REAL means that the model found none of the traces it knows, not that the picture is \
             authentic: of a generator it never met it may know none."
                .to_owned()
        }
    }];
    limits.push(format!(
        "The model sees {width}\u{d7}{height} pixels: what shows only in finer detail is lost."
    ));
    if report.given != report.seen {
        limits.push(format!(
            "The picture was resized as a whole from {}\u{d7}{}. Resizing wipes out traces of a \
             generator and leaves its own, so this verdict is worth less than one on a picture of \
             the model's size.",
            report.given.0, report.given.1
        ));
    }
    let method = report.method;
    limits.push(if !report.has_map {
        format!("{method} found no place that speaks for the verdict.")
    } else {
        format!(
            "{method} marks the places that spoke for the verdict. What is found there need not be \
             why."
        )
    });
    if report.has_measured {
        limits.push(
            "Measurements are compared with the camera pictures of CIFAKE, which are small and \
             show ten classes: a camera picture of another kind can stand out among them too."
                .to_owned(),
        );
    }
    if report.has_unmeasured {
        limits.push("An artifact without a measurement is a claim that nothing backs.".to_owned());
    }
    limits
}
