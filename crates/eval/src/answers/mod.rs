//! When a detector is sure: bands and distances, fitted to pictures that it was not trained on.

mod band;

use cifake::{Answers, Curve, Error, Familiarity, InputFit, Label, Observation, Observed};

use crate::metrics::{fit_platt, must_suffice};

/// The shares that fitted answers must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnswerOptions {
    /// Share of the answered held-back pictures of the model's size that must be right.
    pub right: f64,
    /// Share of the resized photographs that may be answered FAKE.
    pub photographs_called_fake: f64,
    /// Share of the resized generated pictures that may be answered REAL.
    pub generated_called_real: f64,
    /// Percent of the held-back pictures that may be called unfamiliar.
    pub unfamiliar_below: f32,
    /// Added to each variance of the features and of the pixel statistics, in shares of the mean one.
    pub ridge: f64,
}

impl Default for AnswerOptions {
    fn default() -> Self {
        Self {
            right: 0.99,
            photographs_called_fake: 0.05,
            generated_called_real: 0.05,
            unfamiliar_below: Answers::UNFAMILIAR_BELOW,
            ridge: 1e-3,
        }
    }
}

/// The answers of a detector, fitted to what it saw in its `training` pictures, in `held_back` ones of the same kind, and
/// perhaps in `others`: pictures to be resized, some for the calibration and some of other sources for the
/// thresholds.
///
/// - Pictures of the model's size: temperature and bias make the held-back labels most likely; the threshold
///   is one half; the band is the narrowest one, symmetric in the logit, outside of which the share
///   `options.right` is right.
/// - Resized pictures: temperature and bias make the labels of the first of `others` most likely. The
///   second draws the band: of its photographs at most the share `photographs_called_fake` lies at or
///   above its upper end, of its generated pictures at most `generated_called_real` at or below its lower
///   one. If that leaves no band, the threshold alone decides.
/// - [`Familiarity::fit`] of `training`, with the distances of `held_back`.
///
/// # Errors
///
/// Too few pictures, of one label perhaps, or probabilities that cannot be told apart.
pub fn fit_answers(
    training: &Observed,
    held_back: &Observed,
    others: Option<[&Observed; 2]>,
    options: &AnswerOptions,
) -> Result<Answers, Error> {
    let resized = others.map(|of| of.map(resized_only));
    let familiarity = Familiarity::fit(training, held_back, options.ridge)?;
    let resized = resized.map(|[fitting, choosing]| resized_curve(&fitting, &choosing, options));
    let native = native_curve(held_back, options.right)?;
    Ok(Answers::new(native, resized.transpose()?, options.unfamiliar_below, familiarity))
}

fn resized_only(observed: &Observed) -> Observed {
    observed.iter().filter(|(_, seen)| seen.input == InputFit::Resized).cloned().collect()
}

/// Logits before calibration, and labels.
fn margins(observed: &Observed) -> (Vec<f32>, Vec<Label>) {
    observed.iter().map(|(sample, seen): &(_, Observation)| (seen.margin(), sample.label)).unzip()
}

/// The curve that makes `labels` most likely, with a threshold of one half. Labels that do not follow the margins have
/// the temperature of 100, and then the band leaves no answer but UNSURE.
fn fitted(margins: &[f32], labels: &[Label]) -> Result<Curve, Error> {
    must_suffice(labels)?;
    let [temperature, bias] = fit_platt(margins, labels)?.map(|value| value as f32);
    Ok(Curve { temperature, bias, ..Curve::PLAIN })
}

fn native_curve(held_back: &Observed, right: f64) -> Result<Curve, Error> {
    let (margins, labels) = margins(held_back);
    let curve = fitted(&margins, &labels)?;
    let logits: Vec<f32> = margins.iter().map(|margin| curve.logit(*margin)).collect();
    Ok(Curve { unsure: Some(band::symmetric(&logits, &labels, right)), ..curve })
}

fn resized_curve(
    fitting: &Observed,
    choosing: &Observed,
    options: &AnswerOptions,
) -> Result<Curve, Error> {
    let (fitting_margins, fitting_labels) = margins(fitting);
    let curve = fitted(&fitting_margins, &fitting_labels)?;
    let (margins, labels) = margins(choosing);
    let probabilities = curve.probabilities(&margins);
    let of = |label: Label| -> Vec<f32> {
        let pairs = probabilities.iter().zip(&labels).filter(|(_, of)| **of == label);
        pairs.map(|(p, _)| *p).collect()
    };
    let [low, high] = band::by_errors(
        of(Label::Real),
        of(Label::Fake),
        options.photographs_called_fake,
        options.generated_called_real,
    )?;
    Ok(if low <= high {
        Curve { threshold: 0.5f32.clamp(low, high), unsure: Some([low, high]), ..curve }
    } else {
        // Any threshold between keeps both promises.
        let threshold = 0.5f32.clamp(high, low);
        Curve { threshold, unsure: Some([threshold; 2]), ..curve }
    })
}
