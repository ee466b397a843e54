//! IPTC's vocabulary of digital source types, in XMP and in C2PA manifests.
//!
//! <https://cv.iptc.org/newscodes/digitalsourcetype/>

use crate::claim::{Claim, Kind, Says};
use crate::contents::Contents;

/// Last part of a term's address, and what it says.
const TERMS: &[(&str, Says)] = &[
    ("trainedAlgorithmicMedia", Says::AiGenerated),
    ("compositeWithTrainedAlgorithmicMedia", Says::AiEdited),
    ("compositeSynthetic", Says::AiEdited),
    ("algorithmicMedia", Says::Algorithm),
    ("digitalCapture", Says::Camera),
    ("computationalCapture", Says::Camera),
    ("negativeFilm", Says::Camera),
    ("positiveFilm", Says::Camera),
    ("print", Says::Camera),
    ("algorithmicallyEnhanced", Says::Software),
    ("composite", Says::Software),
    ("compositeCapture", Says::Software),
    ("dataDrivenMedia", Says::Software),
    ("digitalArt", Says::Software),
    ("digitalCreation", Says::Software),
    ("humanEdits", Says::Software),
    ("minorHumanEdits", Says::Software),
    ("screenCapture", Says::Software),
    ("softwareImage", Says::Software),
    ("virtualRecording", Says::Software),
];

/// The statement of a term: its address, its code `digsrctype:TERM`, or its bare name.
pub(crate) fn says(term: &str) -> Says {
    let name = term.trim().trim_end_matches('/').rsplit(['/', ':', '#']).next().unwrap_or_default();
    TERMS.iter().find(|(known, _)| *known == name).map_or(Says::Nothing, |(_, says)| *says)
}

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    let tool = contents.at(Kind::Xmp, "CreatorTool").next().unwrap_or_default();
    contents
        .at(Kind::Xmp, "DigitalSourceType")
        .map(|term| Claim::declared(Kind::Xmp, says(term), tool))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_known_by_its_last_part() {
        let root = "http://cv.iptc.org/newscodes/digitalsourcetype/";
        assert_eq!(says(&format!("{root}trainedAlgorithmicMedia")), Says::AiGenerated);
        assert_eq!(says("digsrctype:compositeSynthetic"), Says::AiEdited);
        assert_eq!(says("algorithmicMedia"), Says::Algorithm);
        assert_eq!(says("digitalCapture/"), Says::Camera);
        assert_eq!(says("untrainedAlgorithmicMedia"), Says::Nothing);
        assert_eq!(says(""), Says::Nothing);
    }
}
