//! Explanations of many pictures, beside references and both controls.

use std::collections::HashSet;
use std::fmt;

use cifake_eval::metrics::Bootstrap;
use gradcam::RegionShare;
use serde::Serialize;

use super::grade::artifacts;
use super::position::in_strongest;
use super::{Control, Grader, QualityReport, SetAgreement, rouge_l, wrong_pictures};
use crate::{Error, Explanation};

/// One picture of a [`Trial`].
#[derive(Debug, Clone, Copy)]
pub struct Exhibit<'a> {
    /// The explanation to grade.
    pub found: &'a Explanation,
    /// The reference.
    pub reference: &'a Explanation,
    /// The regions of its map, from the strongest to the weakest.
    pub regions: &'a [RegionShare],
}

/// Three grades of the explanations beside those of a control. An undefined grade counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrialControl {
    /// [`SetAgreement::iou`] with the reference.
    pub iou: Control,
    /// F of [`rouge_l`] of all texts of the explanation, joined, with those of the reference. In
    /// [`QualityReport`] it covers only the artifacts that both name.
    pub all_words: Control,
    /// [`PositionAgreement::in_strongest`](super::PositionAgreement::in_strongest) of the picture's map.
    pub in_strongest: Control,
}

/// The quality of explanations, and whether they are about their pictures.
///
/// An explainer that says the same of every picture can score well if the references are alike. Only
/// a score above both controls is about the pictures. For places, this holds with a reservation: a
/// model that is shown the map can read the places off the map, without a look at the picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Beside the references.
    pub quality: QualityReport,
    /// Beside the explanations of other pictures.
    pub wrong_picture: TrialControl,
    /// Beside the explanation of a blank picture.
    pub blank_picture: TrialControl,
    /// Number of different sets of artifacts.
    pub n_different_sets: usize,
}

impl Trial {
    /// Grades `exhibits`; `blank` is the explanation of a blank picture. `bootstrap` also draws the
    /// wrong pictures.
    ///
    /// # Errors
    ///
    /// [`Error::ControlScores`] of fewer than two pictures; the errors of `grader`.
    pub fn new(
        exhibits: &[Exhibit<'_>],
        blank: &Explanation,
        grader: &Grader<'_>,
        bootstrap: &Bootstrap,
    ) -> Result<Self, Error> {
        let n = exhibits.len();
        if n < 2 {
            return Err(Error::ControlScores { n_matched: n, n_control: n });
        }
        let grade = |e: &Exhibit<'_>| grader.grade(e.found, e.reference, e.regions);
        let qualities = exhibits.iter().map(grade).collect::<Result<Vec<_>, _>>()?;
        let others = wrong_pictures(n, bootstrap.seed);
        let control = |said: &[&Explanation]| {
            let measure = |score: &dyn Fn(&Explanation, &Exhibit<'_>) -> f64| {
                let own: Vec<f64> = exhibits.iter().map(|e| score(e.found, e)).collect();
                let other: Vec<f64> = said.iter().zip(exhibits).map(|(s, e)| score(s, e)).collect();
                Control::new(&own, &other, bootstrap)
            };
            Ok::<_, Error>(TrialControl {
                iou: measure(&iou)?,
                all_words: measure(&words)?,
                in_strongest: measure(&|said, e| {
                    in_strongest(&said.findings, e.regions, grader.n_strongest)
                })?,
            })
        };
        let sets = exhibits.iter().map(|e| {
            let mut names: Vec<_> = e.found.findings.iter().map(|f| f.artifact.name()).collect();
            names.sort_unstable();
            names
        });
        let of_others: Vec<&Explanation> = others.iter().map(|&i| exhibits[i].found).collect();
        Ok(Self {
            quality: QualityReport::new(&qualities, bootstrap),
            wrong_picture: control(&of_others)?,
            blank_picture: control(&vec![blank; n])?,
            n_different_sets: sets.collect::<HashSet<_>>().len(),
        })
    }
}

fn iou(said: &Explanation, exhibit: &Exhibit<'_>) -> f64 {
    SetAgreement::new(&artifacts(said), &artifacts(exhibit.reference)).iou
}

fn words(said: &Explanation, exhibit: &Exhibit<'_>) -> f64 {
    let text = |of: &Explanation| {
        of.findings.iter().map(|f| f.explanation.as_str()).collect::<Vec<_>>().join(" ")
    };
    rouge_l(&text(said), &text(exhibit.reference)).f
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.quality)?;
        write!(f, "different sets of names: {}", self.n_different_sets)?;
        for (name, control) in
            [("another picture", self.wrong_picture), ("a blank picture", self.blank_picture)]
        {
            write!(f, "\n\nagainst the answer to {name}")?;
            for (measure, control) in [
                ("IoU", control.iou),
                ("all words", control.all_words),
                ("in strongest", control.in_strongest),
            ] {
                write!(f, "\n{measure:<13} {control}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gradcam::{HeatMap, Region, regions};

    use super::*;
    use crate::Artifact;
    use crate::quality::example::explanation;

    /// One name and place a picture.
    fn said(i: usize) -> Explanation {
        let name = Artifact::all().nth(i).expect("there are 70").name();
        explanation(&[(
            name,
            Some(Region::ALL[i % 9]),
            &format!("w{i} in the {}", Region::ALL[i % 9]),
        )])
    }

    fn trial(found: &[Explanation], blank: &Explanation) -> Trial {
        let references: Vec<Explanation> = (0..18).map(said).collect();
        let hot = |i: usize| {
            let values = (0..9).map(|place| f32::from(u8::from(place == i % 9))).collect();
            regions(&HeatMap::scaled(values, 3, 3))
        };
        let maps: Vec<_> = (0..18).map(hot).collect();
        let exhibits: Vec<Exhibit<'_>> = (0..18)
            .map(|i| Exhibit { found: &found[i], reference: &references[i], regions: &maps[i] })
            .collect();
        let grader = Grader { n_strongest: 1, ..Grader::default() };
        Trial::new(&exhibits, blank, &grader, &Bootstrap::new(3)).expect("eighteen pictures")
    }

    #[test]
    fn who_looks_passes_both_controls() {
        let found: Vec<Explanation> = (0..18).map(said).collect();
        let trial = trial(&found, &said(0));
        assert_eq!(trial.n_different_sets, 18);
        for control in [trial.wrong_picture, trial.blank_picture] {
            for measure in [control.iou, control.all_words, control.in_strongest] {
                assert!(measure.is_passed() && measure.matched.value == 1.0, "{measure}");
            }
        }
        assert!(trial.to_string().contains("against the answer to a blank picture\nIoU"));
    }

    #[test]
    fn who_always_says_the_same_passes_none() {
        let trial = trial(&vec![said(4); 18], &said(4));
        assert_eq!(trial.n_different_sets, 1);
        for control in [trial.wrong_picture, trial.blank_picture] {
            for measure in [control.iou, control.all_words, control.in_strongest] {
                assert_eq!(measure.difference.value, 0.0);
                assert!(!measure.is_passed());
            }
        }
        assert!(trial.quality.iou.is_some_and(|iou| iou.metric.value > 0.0));
    }

    #[test]
    fn one_picture_has_no_control() {
        let one = said(0);
        let exhibit = Exhibit { found: &one, reference: &one, regions: &[] };
        let refused = Trial::new(&[exhibit], &one, &Grader::default(), &Bootstrap::new(1));
        assert!(matches!(refused, Err(Error::ControlScores { n_matched: 1, .. })));
    }
}
