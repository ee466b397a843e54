//! Kinds of pictures that a detector of small photographs should know nothing of.

use std::path::Path;

use anyhow::Result;
use cifake::{Detector, Drawing, Label, Observation, Picture, Sample, Split};

use cifake_cli::answers::split;

/// Of each kind of drawings, by the side that it is made at: of the model's size, and to be resized.
const SIDES: [u32; 2] = [32, 256];
/// Longest side of a published picture that counts as made small.
const SMALL: u32 = 64;

/// A kind of pictures as a detector saw them.
pub type Group = (String, Vec<Observation>);

/// `n` drawings of each kind and size as `detector` saw them.
///
/// # Errors
///
/// If it cannot judge them.
pub fn drawings(detector: &Detector, n: u64) -> Result<Vec<Group>> {
    let kinds = Drawing::ALL.into_iter().flat_map(|kind| SIDES.map(|side| (kind, side)));
    let group = |(kind, side): (Drawing, u32)| -> Result<Group> {
        let pictures: Vec<Picture> = (0..n).map(|number| kind.picture(side, 0, number)).collect();
        Ok((format!("{}, {side} px", kind.as_str()), detector.observe_pictures(pictures)?))
    };
    kinds.map(group).collect()
}

/// The validation pictures of the collection at `others`, generated or photographed, and all that were made
/// small: those of sources that a detector was not fitted to, and those that it should know best.
///
/// # Errors
///
/// If it has none.
pub fn collected(detector: &Detector, others: &Path) -> Result<Vec<Group>> {
    let is_small =
        |sample: &Sample| sample.origin.as_ref().is_some_and(|of| of.width.max(of.height) <= SMALL);
    let mut seen = split(detector, others, Split::Validation)?;
    let training = split(detector, others, Split::Train)?;
    seen.extend(training.into_iter().filter(|(sample, _)| is_small(sample)));
    let group = |name: &str, keep: &dyn Fn(&Sample) -> bool| -> Group {
        let kept = seen.iter().filter(|(sample, _)| keep(sample));
        (name.to_owned(), kept.map(|(_, seen)| seen.clone()).collect())
    };
    let groups = [
        group("other generators", &|s| s.label == Label::Fake && !is_small(s)),
        group("photographs", &|s| s.label == Label::Real),
        group("generated at up to 64 px", &is_small),
    ];
    Ok(groups.into_iter().filter(|(_, seen)| !seen.is_empty()).collect())
}
