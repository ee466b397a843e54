//! From the weights of a run to the file that ships.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use cifake::metrics;
use cifake::weights::{Precision, Source, WeightsInfo};

use super::TrainError;
use super::augment::planes;
use super::examples::Examples;
use crate::config::TinyVitConfig;
use crate::model::TinyVit;
use crate::weight_file;

/// Pictures a batch.
const BATCH: usize = 250;

/// Writes `model` in half precision to `out`, with the temperature that its rounded weights need on
/// `validation` (Guo et al. 2017, arXiv 1706.04599) and `notes`; returns what was noted.
///
/// # Errors
///
/// A validation set of one label, or a file that cannot be written.
pub fn calibrate(
    model: TinyVit,
    config: &TinyVitConfig,
    notes: &BTreeMap<String, String>,
    validation: &Examples,
    out: &Path,
) -> Result<(BTreeMap<String, String>, WeightsInfo), TrainError> {
    weight_file::save(&model, config, notes, Precision::F16, out)?;
    let device = model.head.fc.weight.val().device();
    let (rounded, ..) = weight_file::load(Source::File(out), &device).map_err(|error| {
        TrainError::Config(format!("the weights that were just written do not load: {error}"))
    })?;
    let scores = validation_scores(&rounded, validation);
    let labels = validation.labels();
    let temperature = metrics::fit_temperature(&scores, labels)?;
    let probability = |z: &f32| 1.0 / (1.0 + (-f64::from(*z) / temperature).exp());
    let probabilities: Vec<f32> = scores.iter().map(|z| probability(z) as f32).collect();
    let mut notes = notes.clone();
    let figures = [
        ("temperature", temperature),
        ("threshold", 0.5),
        ("validation_n", labels.len() as f64),
        ("validation_accuracy", metrics::accuracy(&probabilities, labels, 0.5)?),
        ("validation_auc", metrics::auc(&probabilities, labels)?),
        ("validation_ece", metrics::expected_calibration_error(&probabilities, labels)?),
    ];
    notes.extend(figures.map(|(key, value)| (key.to_owned(), value.to_string())));
    let info = weight_file::save(&model, config, &notes, Precision::F16, out)?;
    Ok((notes, info))
}

/// Score of FAKE against REAL of every picture, before any temperature.
pub(crate) fn validation_scores(model: &TinyVit, validation: &Examples) -> Vec<f32> {
    let device = model.head.fc.weight.val().device();
    let side = validation.side();
    let all: Vec<usize> = (0..validation.len()).collect();
    let mut scores = Vec::with_capacity(all.len());
    for samples in all.chunks(BATCH) {
        let pixels: Vec<f32> = samples.iter().flat_map(|&i| planes(validation.pixels(i))).collect();
        let shape = [samples.len(), 3, side, side];
        let images = Tensor::from_data(TensorData::new(pixels, shape), &device);
        scores.extend(margins(model.forward(model.resized(images))));
    }
    scores
}

/// Score of FAKE against REAL, `[batch]`: the logit, or the difference of two.
fn margins(outputs: Tensor<2>) -> Vec<f32> {
    let [batch, n_classes] = outputs.dims();
    let margins = match n_classes {
        1 => outputs,
        _ => outputs.clone().narrow(1, 1, 1) - outputs.narrow(1, 0, 1),
    };
    margins.reshape([batch]).into_data().try_to_vec().expect("scores are f32")
}
