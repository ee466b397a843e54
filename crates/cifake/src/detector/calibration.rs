//! From a logit to a probability, a label and an answer.

use std::collections::BTreeMap;

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::DetectorError;
use crate::{Answer, InputFit, Label};

/// Metadata keys of one calibration.
#[derive(Debug, Clone, Copy)]
struct Keys {
    /// Of the temperature that logits are divided by.
    temperature: &'static str,
    /// Of what is added to a logit afterwards.
    bias: &'static str,
    /// Of the probability from which on a picture is called FAKE.
    threshold: &'static str,
    /// Of the probabilities between which the answer is UNSURE.
    unsure: [&'static str; 2],
}

const NATIVE: Keys = Keys {
    temperature: "temperature",
    bias: "bias",
    threshold: "threshold",
    unsure: ["unsure_above", "unsure_below"],
};
const RESIZED: Keys = Keys {
    temperature: "resized_temperature",
    bias: "resized_bias",
    threshold: "resized_threshold",
    unsure: ["resized_unsure_above", "resized_unsure_below"],
};
/// Metadata key of the percentile below which a picture is unfamiliar.
const UNFAMILIAR: &str = "unfamiliar_below";
/// Percent of the held-back pictures that are unfamiliar where the file does not say otherwise.
pub(super) const UNFAMILIAR_BELOW: f32 = 2.5;

/// The map from the logits of one kind of pictures to probabilities, labels and answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    /// The divisor of the logits, above 0.
    pub temperature: f32,
    /// The offset added to them afterwards.
    pub bias: f32,
    /// The probability from which on a picture is called FAKE, in `[0, 1]`.
    pub threshold: f32,
    /// Above the first and below the second probability the answer is UNSURE; `None` where each answer is the
    /// label.
    pub unsure: Option<[f32; 2]>,
}

impl Curve {
    /// The curve of a file that holds none: a temperature of 1, a threshold of 0.5, no band.
    pub const PLAIN: Self = Self { temperature: 1.0, bias: 0.0, threshold: 0.5, unsure: None };

    /// The logit of the calibrated probability of the logit `margin` of FAKE against REAL.
    #[must_use]
    pub fn logit(&self, margin: f32) -> f32 {
        margin / self.temperature + self.bias
    }

    /// The calibrated probabilities of FAKE.
    #[must_use]
    pub fn probabilities(&self, margins: &[f32]) -> Vec<f32> {
        sigmoids(margins.iter().map(|margin| self.logit(*margin)).collect())
    }

    /// The label of a picture of probability `p_fake`.
    #[must_use]
    pub fn label(&self, p_fake: f32) -> Label {
        if p_fake >= self.threshold { Label::Fake } else { Label::Real }
    }

    /// The answer for a picture of probability `p_fake`: its label, unless it lies in the band of UNSURE.
    ///
    /// A threshold outside the band, which a user may set, widens it.
    #[must_use]
    pub fn answer(&self, p_fake: f32) -> Answer {
        let label = self.label(p_fake);
        let [above, below] = self.unsure.unwrap_or([self.threshold; 2]);
        let is_sure = match label {
            Label::Real => p_fake <= above || self.unsure.is_none(),
            Label::Fake => p_fake >= below,
        };
        if is_sure { label.into() } else { Answer::Unsure }
    }

    /// The metadata that say this, under the keys of pictures judged as `fit` says.
    pub(crate) fn to_metadata(self, fit: InputFit) -> BTreeMap<String, String> {
        let keys = keys(fit);
        let [above, below] = keys.unsure;
        let mut texts = vec![
            (keys.temperature, self.temperature),
            (keys.bias, self.bias),
            (keys.threshold, self.threshold),
        ];
        if let Some(unsure) = self.unsure {
            texts.extend([above, below].into_iter().zip(unsure));
        }
        texts.into_iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect()
    }

    fn from_metadata(
        metadata: &Metadata<'_>,
        keys: Keys,
        plain: Self,
    ) -> Result<Self, DetectorError> {
        let number = |key, default, expected, is_valid: fn(f32) -> bool| {
            metadata.number(key, expected, is_valid).map(|found| found.unwrap_or(default))
        };
        let probability = |key| metadata.number(key, "a number in [0, 1]", is_probability);
        let [above, below] = keys.unsure;
        let unsure = match (probability(above)?, probability(below)?) {
            (None, None) => None,
            (Some(low), Some(high)) if low <= high => Some([low, high]),
            (Some(_), Some(_)) => {
                return Err(
                    metadata.refuse(below, "a number of at least the other end of the band")
                );
            }
            (None, Some(_)) => return Err(metadata.refuse(above, "both ends of a band")),
            (Some(_), None) => return Err(metadata.refuse(below, "both ends of a band")),
        };
        let is_temperature = |value: f32| value.is_normal() && value > 0.0;
        Ok(Self {
            temperature: number(
                keys.temperature,
                plain.temperature,
                "a number above 0",
                is_temperature,
            )?,
            bias: number(keys.bias, plain.bias, "a finite number", f32::is_finite)?,
            threshold: probability(keys.threshold)?.unwrap_or(plain.threshold),
            unsure,
        })
    }
}

/// The map from logits to probabilities, labels and answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Calibration {
    pub(super) native: Curve,
    /// Of pictures that were resized; `None` where they are judged as the others.
    pub(super) resized: Option<Curve>,
    pub(super) unfamiliar_below: f32,
}

/// A file's texts, and the file's name.
struct Metadata<'a> {
    name: &'a str,
    texts: &'a BTreeMap<String, String>,
}

impl Metadata<'_> {
    fn refuse(&self, key: &'static str, expected: &'static str) -> DetectorError {
        let value = self.texts.get(key).cloned().unwrap_or_default();
        DetectorError::Calibration { name: self.name.to_owned(), key, value, expected }
    }

    fn number(
        &self,
        key: &'static str,
        expected: &'static str,
        is_valid: fn(f32) -> bool,
    ) -> Result<Option<f32>, DetectorError> {
        let Some(text) = self.texts.get(key) else { return Ok(None) };
        let value = text.trim().parse::<f32>().ok().filter(|&value| is_valid(value));
        value.map(Some).ok_or_else(|| self.refuse(key, expected))
    }
}

impl Calibration {
    /// The calibration in a weight file's metadata; without an entry, a temperature of 1, a threshold of 0.5 and no
    /// band.
    pub(super) fn from_metadata(
        name: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, DetectorError> {
        let metadata = Metadata { name, texts: metadata };
        let native = Curve::from_metadata(&metadata, NATIVE, Curve::PLAIN)?;
        let has_resized = metadata.texts.contains_key(RESIZED.temperature);
        let resized = match has_resized {
            true => Some(Curve::from_metadata(&metadata, RESIZED, Curve::PLAIN)?),
            false => None,
        };
        let is_percentile = |value: f32| (0.0..=100.0).contains(&value);
        let unfamiliar = metadata.number(UNFAMILIAR, "a number in [0, 100]", is_percentile)?;
        let unfamiliar_below = unfamiliar.unwrap_or(UNFAMILIAR_BELOW);
        Ok(Self { native, resized, unfamiliar_below })
    }

    /// The metadata that say this.
    pub(super) fn to_metadata(self) -> BTreeMap<String, String> {
        let mut texts = self.native.to_metadata(InputFit::Native);
        texts.extend(self.resized.into_iter().flat_map(|of| of.to_metadata(InputFit::Resized)));
        texts.insert(UNFAMILIAR.to_owned(), self.unfamiliar_below.to_string());
        texts
    }

    /// The calibration of pictures that were brought to the model's size as `fit` says.
    pub(super) fn of(&self, fit: InputFit) -> &Curve {
        match (fit, &self.resized) {
            (InputFit::Resized, Some(resized)) => resized,
            _ => &self.native,
        }
    }

    /// The same with another threshold for pictures of every size.
    pub(super) fn with_threshold(self, threshold: f32) -> Result<Self, DetectorError> {
        if !is_probability(threshold) {
            return Err(DetectorError::Threshold { value: threshold });
        }
        let with = |curve: Curve| Curve { threshold, ..curve };
        Ok(Self { native: with(self.native), resized: self.resized.map(with), ..self })
    }
}

/// The metadata keys that a refit replaces.
pub(super) fn all_keys() -> impl Iterator<Item = &'static str> {
    let of =
        |keys: Keys| [keys.temperature, keys.bias, keys.threshold].into_iter().chain(keys.unsure);
    of(NATIVE).chain(of(RESIZED)).chain([UNFAMILIAR])
}

fn keys(fit: InputFit) -> Keys {
    match fit {
        InputFit::Native => NATIVE,
        InputFit::Resized => RESIZED,
    }
}

/// The logistic function, as burn computes it.
pub(super) fn sigmoids(logits: Vec<f32>) -> Vec<f32> {
    if logits.is_empty() {
        return logits;
    }
    let logits = Tensor::<1>::from_floats(logits.as_slice(), &Device::flex());
    sigmoid(logits).into_data().try_to_vec().expect("a tensor of f32 stays one")
}

fn is_probability(value: f32) -> bool {
    (0.0..=1.0).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[(&str, &str)]) -> Result<Calibration, DetectorError> {
        let metadata = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        Calibration::from_metadata("file", &metadata.collect())
    }

    #[test]
    fn what_the_metadata_leave_out_has_a_default() {
        let silent = read(&[("note", "x")]).expect("nothing is wrong");
        assert_eq!((silent.native, silent.resized), (Curve::PLAIN, None));
        assert_eq!(silent.unfamiliar_below, 2.5);
        let both = read(&[("temperature", "1.7"), ("threshold", " 0.3 ")]).expect("numbers");
        assert_eq!((both.native.temperature, both.native.threshold), (1.7, 0.3));
        assert_eq!(both.of(InputFit::Resized), &both.native);
        let resized = read(&[("resized_temperature", "3"), ("resized_bias", "-0.5")]);
        let resized = *resized.expect("numbers").of(InputFit::Resized);
        assert_eq!(resized, Curve { temperature: 3.0, bias: -0.5, ..Curve::PLAIN });
    }

    #[test]
    fn what_is_written_is_read_again() {
        let native =
            Curve { temperature: 1.3, bias: 0.1, threshold: 0.4, unsure: Some([0.3, 0.5]) };
        for resized in [None, Some(Curve { unsure: None, ..native })] {
            let calibration = Calibration { native, resized, unfamiliar_below: 7.0 };
            let texts = calibration.to_metadata();
            assert!(texts.keys().all(|key| all_keys().any(|known| known == key)));
            assert_eq!(Calibration::from_metadata("file", &texts).ok(), Some(calibration));
        }
    }

    #[test]
    fn an_answer_is_the_label_outside_of_the_band() {
        let curve = Curve { threshold: 0.5, unsure: Some([0.3, 0.8]), ..Curve::PLAIN };
        let answers = [0.0, 0.3, 0.31, 0.5, 0.79, 0.8, 1.0].map(|p| curve.answer(p));
        let (real, fake, unsure) = (Answer::Real, Answer::Fake, Answer::Unsure);
        assert_eq!(answers, [real, real, unsure, unsure, unsure, fake, fake]);
        // A user's threshold beyond the band: between both nothing is sure.
        let strict = Curve { threshold: 0.9, ..curve };
        assert_eq!([0.2, 0.85, 0.9].map(|p| strict.answer(p)), [real, unsure, fake]);
        let lax = Curve { threshold: 0.1, ..curve };
        assert_eq!([0.05, 0.2, 0.85].map(|p| lax.answer(p)), [real, unsure, fake]);
        let plain = Curve { unsure: None, ..curve };
        assert_eq!([0.49, 0.5].map(|p| plain.answer(p)), [real, fake]);
    }

    #[test]
    fn numbers_that_calibrate_nothing_are_refused_by_name() {
        for (key, text) in [
            ("temperature", "0"),
            ("temperature", "-1"),
            ("temperature", "NaN"),
            ("temperature", "inf"),
            ("temperature", "warm"),
            ("threshold", "1.5"),
            ("threshold", "NaN"),
            ("threshold", ""),
            ("bias", "inf"),
            ("unsure_above", "0.5"),
            ("unsure_below", "-0.5"),
            ("resized_temperature", "0"),
            ("unfamiliar_below", "101"),
        ] {
            let error = read(&[(key, text)]).expect_err("it is no calibration").to_string();
            assert!(error.contains("file") && error.contains(&key[..4]), "{error}");
        }
        let crossed = read(&[("unsure_above", "0.6"), ("unsure_below", "0.5")]);
        assert!(matches!(crossed, Err(DetectorError::Calibration { key: "unsure_below", .. })));
    }
}
