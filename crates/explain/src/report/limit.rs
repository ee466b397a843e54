//! What a report cannot tell, in sentences.

use cifake::{Answer, InputFit, Label, Scope};

use super::Report;

/// The sentences that hold for every report, and those that hold for this one.
pub(super) fn limits(report: &Report) -> Vec<String> {
    let provenance = &report.provenance;
    let (width, height) = (report.picture.width(), report.picture.height());
    let findings = &report.explanation.findings;
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
    if report.input() == InputFit::Resized {
        limits.push(format!(
            "The picture was resized as a whole from {}\u{d7}{}. Resizing wipes out traces of a \
             generator and leaves its own, so this verdict is worth less than one on a picture of \
             the model's size.",
            provenance.width, provenance.height
        ));
    }
    let method = report.method();
    limits.push(if report.regions.is_empty() {
        format!("{method} found no place that speaks for the verdict.")
    } else {
        format!(
            "{method} marks the places that spoke for the verdict. What is found there need not be \
             why."
        )
    });
    if findings.iter().any(|finding| finding.evidence.is_some()) {
        limits.push(
            "Measurements are compared with the camera pictures of CIFAKE, which are small and \
             show ten classes: a camera picture of another kind can stand out among them too."
                .to_owned(),
        );
    }
    if findings.iter().any(|finding| finding.evidence.is_none()) {
        limits.push("An artifact without a measurement is a claim that nothing backs.".to_owned());
    }
    limits
}
