//! A detector's observations of the pictures that its answers are fitted to.

mod calibration;

use std::path::Path;

use anyhow::Result;
use cifake::{Answers, Dataset, Detector, Observed, Split, open_dataset};
use cifake_eval::{AnswerOptions, Answered, Breakdown, Report, fit_answers};

use crate::args::DataArgs;
use crate::{Holdout, balanced, progress_bar};

pub use calibration::{AnswerArgs, calibrate_answers};

/// The observations of `detector` in the pictures `indices` of `dataset`.
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

/// Its observations in all pictures of `split` of the data set at `path`.
///
/// # Errors
///
/// If there are none.
pub fn split(detector: &Detector, path: &Path, split: Split) -> Result<Observed> {
    let dataset = open_dataset(path, Some(split))?;
    observe(detector, &*dataset, &(0..dataset.len()).collect::<Vec<_>>())
}

/// The observations that answers are fitted to.
pub struct Seen {
    /// Some of the training pictures, both labels alike.
    pub training: Observed,
    /// All that were held back.
    pub held_back: Observed,
    /// Pictures of other generators and sources: to calibrate, and to choose thresholds.
    pub others: Option<[Observed; 2]>,
}

/// Its observations in at most `limit` training pictures and all held-back ones of `data`, and in those of `others`.
///
/// # Errors
///
/// If one of them has no pictures; as [`Holdout::parts`].
pub fn see(
    detector: &Detector,
    holdout: &Holdout,
    data: &Path,
    others: Option<&Path>,
    limit: usize,
) -> Result<Seen> {
    let whole = DataArgs::at(data).listed(data)?;
    let training = Box::new(whole.training()?);
    let (dataset, parts) = holdout.parts(training, detector.decoder())?;
    let limit = limit.min(parts.train.len());
    let training = observe(detector, &*dataset, &balanced(&*dataset, parts.train, limit, 0))?;
    let held_back = observe(detector, &*dataset, &parts.validation)?;
    let of = |path: &Path| -> Result<[Observed; 2]> {
        Ok([split(detector, path, Split::Train)?, split(detector, path, Split::Validation)?])
    };
    Ok(Seen { training, held_back, others: others.map(of).transpose()? })
}

impl Seen {
    /// The answers fitted to it.
    ///
    /// # Errors
    ///
    /// As [`fit_answers`].
    pub fn fit(&self, options: &AnswerOptions) -> Result<Answers> {
        let others = self.others.as_ref().map(|[fitting, choosing]| [fitting, choosing]);
        Ok(fit_answers(&self.training, &self.held_back, others, options)?)
    }
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
