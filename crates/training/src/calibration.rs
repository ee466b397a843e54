//! Calibration of the weights of a run for release.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use cifake::weights::{Mapping, Precision, Source, WeightsInfo, load, save_configured, to_bytes};
use cifake::{Label, class_scores, uncalibrated};
use cifake_eval::metrics;

use crate::examples::Examples;
use crate::{Network, TrainError};

/// Pictures a batch.
const BATCH: usize = 250;

/// Writes `model` in `precision` to `out`, with the temperature and the bias that its rounded weights need
/// on `validation` (Platt 1999; Guo et al. 2017, arXiv 1706.04599) and `notes`, whose former calibration is left
/// out; returns what was noted.
///
/// # Errors
///
/// Those of [`metrics::calibration`] for too few pictures, or scores that do not follow the labels; a file that cannot
/// be written.
pub fn calibrate<N: Network>(
    model: N,
    config: &N::Config,
    notes: &BTreeMap<String, String>,
    validation: &Examples,
    device: &Device,
    precision: Precision,
    out: &Path,
) -> Result<(BTreeMap<String, String>, WeightsInfo), TrainError> {
    let model = as_stored(model, precision)?;
    let scores = validation_scores(&model, validation, device);
    let labels = validation.labels();
    let [temperature, bias] = metrics::calibration(&scores, labels)?;
    let probability = |z: &f32| 1.0 / (1.0 + (-f64::from(*z) / temperature - bias).exp());
    let probabilities: Vec<f32> = scores.iter().map(|z| probability(z) as f32).collect();
    let mut notes = uncalibrated(notes);
    let figures = [
        ("temperature", temperature),
        ("bias", bias),
        ("threshold", 0.5),
        ("validation_n", labels.len() as f64),
        ("validation_accuracy", metrics::accuracy(&probabilities, labels, 0.5)?),
        ("validation_auc", metrics::auc(&probabilities, labels)?),
        ("validation_ece", metrics::expected_calibration_error(&probabilities, labels)?),
    ];
    notes.extend(figures.map(|(key, value)| (key.to_owned(), value.to_string())));
    let info = save_configured(&model, config, &notes, precision, out)?;
    Ok((notes, info))
}

/// The network with the weights that a file in `precision` holds.
fn as_stored<N: Network>(mut model: N, precision: Precision) -> Result<N, TrainError> {
    let bytes = to_bytes(&model, &Mapping::PYTORCH, &BTreeMap::new(), precision)?;
    let source = Source::Bytes { name: "the model", bytes: &bytes };
    load(&mut model, source, &Mapping::PYTORCH)?;
    Ok(model)
}

/// Score of FAKE against REAL of every picture, before any temperature.
pub(crate) fn validation_scores<N: Network>(
    model: &N,
    validation: &Examples,
    device: &Device,
) -> Vec<f32> {
    let all: Vec<usize> = (0..validation.len()).collect();
    let mut scores = Vec::with_capacity(all.len());
    for samples in all.chunks(BATCH) {
        let logits = class_scores(model.scores(validation.images(samples, device)));
        let logits: Vec<f32> = logits.into_data().try_to_vec().expect("scores are f32");
        scores.extend(logits.chunks_exact(2).map(|pair| pair[1] - pair[0]));
    }
    scores
}

/// Mean cross-entropy of margins, in f64.
pub(crate) fn mean_cross_entropy(margins: &[f32], labels: &[Label]) -> f64 {
    let one = |(margin, label): (&f32, &Label)| {
        let z = f64::from(*margin) * if *label == Label::Fake { -1.0 } else { 1.0 };
        z.max(0.0) + (-z.abs()).exp().ln_1p()
    };
    margins.iter().zip(labels).map(one).sum::<f64>() / labels.len() as f64
}
