//! The rules by which a detector answers, and their form in its weight file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Detector;
use super::calibration::{Calibration, Curve, UNFAMILIAR_BELOW, all_keys};
use crate::weights::{Configured, Precision, configured_bytes};
use crate::{Error, Familiarity, InputFit, file};

/// The rules by which a detector answers: calibrations, bands of UNSURE, and the distance of pictures from its
/// training.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    calibration: Calibration,
    familiarity: Familiarity,
}

impl Answers {
    /// Percent of the held-back pictures that are unfamiliar where nothing else is chosen.
    pub const UNFAMILIAR_BELOW: f32 = UNFAMILIAR_BELOW;

    /// Answers by the curve `native` for pictures of the model's size, by `resized` for all others where it is given,
    /// and UNSURE for pictures whose percentile in `familiarity` is below `unfamiliar_below`.
    #[must_use]
    pub fn new(
        native: Curve,
        resized: Option<Curve>,
        unfamiliar_below: f32,
        familiarity: Familiarity,
    ) -> Self {
        Self { calibration: Calibration { native, resized, unfamiliar_below }, familiarity }
    }

    /// The calibration of pictures that were brought to the model's size as `fit` says.
    #[must_use]
    pub fn curve(&self, fit: InputFit) -> &Curve {
        self.calibration.of(fit)
    }

    /// The measure of the distance of pictures from the training.
    #[must_use]
    pub fn familiarity(&self) -> &Familiarity {
        &self.familiarity
    }

    /// `notes` with the calibration in place of one that they may hold.
    #[must_use]
    pub fn metadata(&self, notes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut metadata = uncalibrated(notes);
        metadata.extend(self.calibration.to_metadata());
        metadata
    }
}

/// The metadata of a weight file without its calibration: temperatures, biases, thresholds and bands.
#[must_use]
pub fn uncalibrated(notes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut notes = notes.clone();
    all_keys().for_each(|key| drop(notes.remove(key)));
    notes
}

impl Detector {
    /// Answers as `answers` say from now on.
    #[must_use]
    pub fn with_answers(mut self, answers: &Answers) -> Self {
        self.calibration = answers.calibration;
        self.familiarity = Some(Arc::new(answers.familiarity.clone()));
        self
    }
}

/// Writes `model` in half precision to `path` with `notes` and `answers`.
///
/// # Errors
///
/// A weight that is not finite in half precision; a file that cannot be written, of which an old one stays.
pub fn save_with_answers<M: Configured>(
    model: &M,
    config: &M::Config,
    notes: &BTreeMap<String, String>,
    answers: &Answers,
    path: &Path,
) -> Result<(), Error> {
    let (notes, beside) = (answers.metadata(notes), answers.familiarity.to_tensors());
    let bytes = configured_bytes(model, config, &notes, Precision::F16, &beside)?;
    file::write_atomic(path, &bytes)
}
