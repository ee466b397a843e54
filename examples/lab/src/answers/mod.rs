//! What a detector saw of the pictures that its answers are fitted to.

mod calibration;

use std::path::Path;

use anyhow::Result;
use cifake::{Answered, Breakdown, Dataset, Report, Split, open_dataset};
use cifake_training::DataConfig;
use tinyvit::{AnswerOptions, Answers, Detector, Observed};

use crate::part::Part;
use crate::progress_bar;

pub use calibration::{AnswerArgs, calibrate_answers};

/// What `detector` saw in the pictures `indices` of `dataset`.
///
/// # Errors
///
/// If none can be decoded.
pub fn observe(detector: &Detector, dataset: &dyn Dataset, indices: &[usize]) -> Result<Observed> {
    let bar = progress_bar()?;
    bar.set_length(indices.len() as u64);
    let seen = detector.observe(dataset, indices, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(seen)
}

/// What it saw in at most `limit` pictures of a part of the data set at `data`, both labels alike.
///
/// # Errors
///
/// If there is no such part.
pub fn part(
    detector: &Detector,
    part: Part,
    config: &DataConfig,
    data: &Path,
    limit: usize,
) -> Result<Observed> {
    let pictures = part.held_back_by(config, data)?;
    let indices = pictures.balanced(limit.min(pictures.indices.len()), 0);
    observe(detector, &*pictures.dataset, &indices)
}

/// What it saw in all pictures of `split` of the data set at `path`.
///
/// # Errors
///
/// If there are none.
pub fn split(detector: &Detector, path: &Path, split: Split) -> Result<Observed> {
    let dataset = open_dataset(path, Some(split))?;
    observe(detector, &*dataset, &(0..dataset.len()).collect::<Vec<_>>())
}

/// The answers fitted to at most `limit` training pictures and to all held-back ones of the data set at
/// `data`, and to the pictures of other generators and sources at `others`.
///
/// # Errors
///
/// As [`Answers::fit`].
pub fn fit(
    detector: &Detector,
    config: &DataConfig,
    data: &Path,
    others: Option<&Path>,
    limit: usize,
    options: &AnswerOptions,
) -> Result<(Answers, Observed)> {
    let training = part(detector, Part::Train, config, data, limit)?;
    let held_back = part(detector, Part::Validation, config, data, usize::MAX)?;
    let others = others
        .map(|path| -> Result<[Observed; 2]> {
            Ok([split(detector, path, Split::Train)?, split(detector, path, Split::Validation)?])
        })
        .transpose()?;
    let both = others.as_ref().map(|[fitting, choosing]| [fitting, choosing]);
    Ok((Answers::fit(&training, &held_back, both, options)?, training))
}

/// The answers on what was seen, by generator and by source.
///
/// # Errors
///
/// If a probability is no number.
pub fn breakdown(detector: &Detector, observed: &Observed) -> Result<Breakdown> {
    let verdicts = detector.verdicts(observed.iter().map(|(_, seen)| seen))?;
    let answered: Vec<Answered<'_>> = observed
        .iter()
        .zip(&verdicts)
        .map(|((sample, _), verdict)| Answered {
            sample,
            p_fake: verdict.p_fake,
            answer: verdict.answer,
        })
        .collect();
    Ok(Breakdown::new(&answered)?)
}

/// The answers on the pictures of `report`, where the data set says where they come from or the detector may be
/// unsure; nothing elsewhere.
///
/// # Errors
///
/// As [`breakdown`].
pub fn of_report(
    detector: &Detector,
    dataset: &dyn Dataset,
    report: &Report,
) -> Result<Option<Breakdown>> {
    let is_collected = dataset.samples().iter().any(|sample| sample.origin.is_some());
    if !is_collected && detector.familiarity().is_none() {
        return Ok(None);
    }
    let indices: Vec<usize> = report.samples.iter().map(|sample| sample.index).collect();
    breakdown(detector, &observe(detector, dataset, &indices)?).map(Some)
}

