//! Grades of one explanation, beside a reference and a map of the same picture.

use gradcam::RegionShare;
use serde::{Deserialize, Serialize};

use super::embedding::{self, Embedder};
use super::{PositionAgreement, SetAgreement, format_faults, rouge_l};
use crate::{Artifact, Error, Explanation};

/// Regions that count as strong.
const N_STRONGEST: usize = 3;

/// Settings for grading explanations.
#[derive(Clone, Copy)]
pub struct Grader<'a> {
    /// Number of regions of the map that count as strong. The default is 3: a random region then
    /// agrees in a third of the cases.
    pub n_strongest: usize,
    /// Compares texts by meaning; without it, [`Quality::cosine`] is `None`.
    pub embedder: Option<&'a dyn Embedder>,
}

/// The grades of one explanation. `None` stands for a grade that the picture does not define.
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
    /// Cosine of the embeddings, averaged over the same artifacts.
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
        regions: &[RegionShare],
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

pub(super) fn artifacts(explanation: &Explanation) -> Vec<Artifact> {
    explanation.findings.iter().map(|finding| finding.artifact).collect()
}

/// The texts of both about each artifact that both name.
fn shared_texts<'a>(ours: &'a Explanation, theirs: &'a Explanation) -> Vec<(&'a str, &'a str)> {
    let of = |artifact| theirs.findings.iter().find(move |finding| finding.artifact == artifact);
    let pair = |(artifact, ours)| Some((ours, of(artifact)?.explanation.as_str()));
    let texts = ours.findings.iter().map(|f| (f.artifact, f.explanation.as_str()));
    texts.filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use gradcam::Region;

    use super::super::example::{Letters, explanation};
    use super::*;

    #[test]
    fn texts_are_compared_where_both_name_the_artifact() {
        let found = explanation(&[
            ("Ghosting effects", Some(Region::Center), "a b"),
            ("Discontinuous surfaces", Some(Region::TopLeft), "the surface breaks"),
        ]);
        let reference = explanation(&[
            ("Missing ambient occlusion", None, "a b"),
            ("Ghosting effects", None, "a c"),
        ]);
        let regions =
            [Region::Center, Region::TopLeft].map(|region| RegionShare { region, share: 0.5 });
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
