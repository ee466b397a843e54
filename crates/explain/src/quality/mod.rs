//! How good explanations are: beside a reference, beside the map, and beside two controls.
//!
//! An [`Explanation`] is graded against another of the same picture, and against the regions of a
//! map of it:
//!
//! - the artifacts as a set: [`SetAgreement`];
//! - the regions that it states: [`PositionAgreement`];
//! - its form: [`format_faults`];
//! - its words, where both name the same artifact: [`rouge_l`] and, given an [`Embedder`],
//!   [`cosine`].
//!
//! What a picture does not define is left out of the mean, and each [`Mean`] says of how many
//! pictures it is. Nothing is filled in by chance where an answer cannot be read.
//!
//! A text that scores as well on another picture explains nothing: [`Control`] compares the scores
//! of matched pairs with those of [wrong](wrong_pictures) or blank pictures, and [`Agreement`] does so
//! for what two voices name. [`Trial`] is all of it for many pictures.
//!
//! ```
//! use cifake::metrics::Bootstrap;
//! use explain::quality::{Control, rouge_l};
//!
//! let said = ["a smooth wing", "two suns", "no wheels"];
//! let wanted = ["the wing is smooth", "there are two suns", "the wheels are gone"];
//! let score = |at: usize, other: usize| rouge_l(said[at], wanted[other]).f;
//! let matched = [0, 1, 2].map(|at| score(at, at));
//! let wrong = [0, 1, 2].map(|at| score(at, (at + 1) % 3));
//! assert!(Control::new(&matched, &wrong, &Bootstrap::new(42))?.is_passed());
//! # Ok::<(), explain::Error>(())
//! ```

mod agreement;
mod control;
mod embedding;
mod format;
mod mean;
mod position;
mod report;
mod rouge;
mod set;
mod trial;

pub use agreement::Agreement;
pub use control::{Control, wrong_pictures};
pub use embedding::{Embedder, cosine};
pub use format::{FormatFault, MIN_ITEMS, format_faults};
pub use mean::Mean;
pub use position::{PositionAgreement, position_control};
pub use report::QualityReport;
pub use rouge::{RougeL, rouge_l};
pub use set::SetAgreement;
pub use trial::{Exhibit, Trial, TrialControl};

use gradcam::Region;
use serde::{Deserialize, Serialize};

use crate::{Artifact, Error, Explanation};

/// Regions that count as strong.
const N_STRONGEST: usize = 3;

/// How explanations are graded.
#[derive(Clone, Copy)]
pub struct Grader<'a> {
    /// Regions of the map that count as strong; 3, so that a region picked at random agrees in a
    /// third of the cases.
    pub n_strongest: usize,
    /// Compares texts by meaning; without one, [`Quality::cosine`] stays empty.
    pub embedder: Option<&'a dyn Embedder>,
}

/// What one explanation is worth. `None` is what the picture does not define.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The artifacts beside those of the reference.
    pub artifacts: SetAgreement,
    /// The stated regions beside the map.
    pub positions: Option<PositionAgreement>,
    /// Whether the form is kept: see [`format_faults`].
    pub is_valid: bool,
    /// F of [`rouge_l`], averaged over the artifacts that the reference names too.
    pub rouge_l: Option<f64>,
    /// [`cosine`] of the embeddings, averaged over the same artifacts.
    pub cosine: Option<f64>,
}

impl Default for Grader<'_> {
    fn default() -> Self {
        Self { n_strongest: N_STRONGEST, embedder: None }
    }
}

impl Grader<'_> {
    /// Grades `found` against `reference` and the `regions` of a map of the same picture, from the
    /// strongest to the weakest.
    ///
    /// # Errors
    ///
    /// If the embedder fails, or does not give one vector a text.
    pub fn grade(
        &self,
        found: &Explanation,
        reference: &Explanation,
        regions: &[Region],
    ) -> Result<Quality, Error> {
        let shared = shared_texts(found, reference);
        let cosine = match self.embedder {
            Some(embedder) => embedding::mean_cosine(embedder, &shared)?,
            None => None,
        };
        let rouge = shared.iter().map(|(ours, theirs)| rouge_l(ours, theirs).f).sum::<f64>();
        let texts = found.findings.iter().map(|f| (f.artifact.name(), f.explanation.as_str()));
        Ok(Quality {
            artifacts: SetAgreement::new(&artifacts(found), &artifacts(reference)),
            positions: PositionAgreement::new(&found.findings, regions, self.n_strongest),
            is_valid: format_faults(texts).is_empty(),
            rouge_l: (!shared.is_empty()).then(|| rouge / shared.len() as f64),
            cosine,
        })
    }
}

fn artifacts(explanation: &Explanation) -> Vec<Artifact> {
    explanation.findings.iter().map(|finding| finding.artifact).collect()
}

/// What both say of each artifact that both name.
fn shared_texts<'a>(ours: &'a Explanation, theirs: &'a Explanation) -> Vec<(&'a str, &'a str)> {
    let of = |artifact| theirs.findings.iter().find(move |finding| finding.artifact == artifact);
    let pair = |(artifact, ours)| Some((ours, of(artifact)?.explanation.as_str()));
    let texts = ours.findings.iter().map(|f| (f.artifact, f.explanation.as_str()));
    texts.filter_map(pair).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Finding;

    pub(crate) fn explanation(findings: &[(&str, Option<&str>, &str)]) -> Explanation {
        let finding = |(name, region, text): &(&str, Option<&str>, &str)| Finding {
            artifact: Artifact::from_name(name).expect("it is in the list"),
            region: region.map(str::to_owned),
            evidence: None,
            explanation: (*text).to_owned(),
            said_by: Vec::new(),
        };
        let findings = findings.iter().map(finding).collect();
        Explanation { findings, remarks: Vec::new() }
    }

    /// Counts of the letters `a` and `b`.
    pub(crate) struct Letters;

    impl Embedder for Letters {
        fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Error> {
            let count = |text: &str, letter| text.matches(letter).count() as f32;
            Ok(texts.iter().map(|text| vec![count(text, 'a'), count(text, 'b')]).collect())
        }
    }

    #[test]
    fn texts_are_compared_where_both_name_the_artifact() {
        let found = explanation(&[
            ("Ghosting effects", Some("centre"), "a b"),
            ("Discontinuous surfaces", Some("top left"), "the surface breaks"),
        ]);
        let reference = explanation(&[
            ("Missing ambient occlusion", None, "a b"),
            ("Ghosting effects", None, "a c"),
        ]);
        let regions =
            ["centre", "top left"].map(|name| Region { name: name.to_owned(), share: 0.5 });
        let grader = Grader { embedder: Some(&Letters), ..Grader::default() };
        let quality = grader.grade(&found, &reference, &regions).expect("letters are counted");
        assert!((quality.artifacts.iou - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(quality.rouge_l, Some(0.5));
        assert!((quality.cosine.expect("one is shared") - 0.5f64.sqrt()).abs() < 1e-6);
        assert!(!quality.is_valid, "two are too few");
        let apart = grader.grade(&found, &explanation(&[]), &[]).expect("nothing to embed");
        assert_eq!((apart.rouge_l, apart.cosine, apart.positions), (None, None, None));
        assert_eq!(apart.artifacts.f1, 0.0);
    }
}
