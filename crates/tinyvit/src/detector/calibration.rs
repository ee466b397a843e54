//! From a logit to a probability and a label.

use std::collections::BTreeMap;

use crate::Error;

/// Metadata key of the temperature that logits are divided by.
const TEMPERATURE: &str = "temperature";
/// Metadata key of the probability from which on a picture is called FAKE.
const THRESHOLD: &str = "threshold";

/// How logits become probabilities and labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Calibration {
    temperature: f32,
    threshold: f32,
}

impl Calibration {
    /// What a weight file's metadata say; without a word, a temperature of 1 and a threshold of 0.5.
    pub(super) fn from_metadata(
        name: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let number = |key: &'static str, default, expected, is_valid: fn(f32) -> bool| {
            let Some(text) = metadata.get(key) else { return Ok(default) };
            let value = text.trim().parse::<f32>().ok().filter(|&value| is_valid(value));
            value.ok_or_else(|| Error::Calibration {
                name: name.to_owned(),
                key,
                value: text.clone(),
                expected,
            })
        };
        Ok(Self {
            temperature: number(TEMPERATURE, 1.0, "a number above 0", |value| {
                value.is_normal() && value > 0.0
            })?,
            threshold: number(THRESHOLD, 0.5, "a number in [0, 1]", is_probability)?,
        })
    }

    pub(super) fn with_threshold(self, threshold: f32) -> Result<Self, Error> {
        if !is_probability(threshold) {
            return Err(Error::Threshold { value: threshold });
        }
        Ok(Self { threshold, ..self })
    }

    pub(super) fn temperature(&self) -> f32 {
        self.temperature
    }

    pub(super) fn threshold(&self) -> f32 {
        self.threshold
    }
}

fn is_probability(value: f32) -> bool {
    (0.0..=1.0).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[(&str, &str)]) -> Result<Calibration, Error> {
        let metadata = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        Calibration::from_metadata("file", &metadata.collect())
    }

    #[test]
    fn what_the_metadata_leave_out_has_a_default() {
        let silent = read(&[("note", "x")]).expect("nothing is wrong");
        assert_eq!((silent.temperature(), silent.threshold()), (1.0, 0.5));
        let both = read(&[("temperature", "1.7"), ("threshold", " 0.3 ")]).expect("numbers");
        assert_eq!((both.temperature(), both.threshold()), (1.7, 0.3));
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
        ] {
            let error = read(&[(key, text)]).expect_err("it is no calibration").to_string();
            assert!(error.contains("file") && error.contains(key), "{error}");
        }
    }
}
