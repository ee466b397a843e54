//! How measures are spread over camera pictures and over generated ones.

use std::path::Path;

use cifake::{Label, file};
use serde::{Deserialize, Serialize};

use super::{Measure, Side};
use crate::Error;

/// Steps between the quantiles that are kept: one in 200.
const N_STEPS: usize = 200;
/// Largest calibration that is read.
const MAX_BYTES: u64 = 4 << 20;

/// A measure's values over many pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// Name of the measure.
    pub measure: String,
    /// Whether it tells REAL from FAKE well enough to be used.
    pub used: bool,
    /// 201 quantiles over camera pictures, from the least value to the largest.
    pub real: Vec<f64>,
    /// The same over generated pictures.
    pub fake: Vec<f64>,
}

impl Spread {
    /// The spread of `values` of `measure`, each with its label.
    ///
    /// # Panics
    ///
    /// If a label has no value.
    #[must_use]
    pub fn new(measure: Measure, values: &[(Label, f64)], used: bool) -> Self {
        let quantiles = |label: Label| {
            let of_label = values.iter().filter(|(other, _)| *other == label);
            let mut sorted: Vec<f64> = of_label.map(|(_, value)| *value).collect();
            assert!(!sorted.is_empty(), "no value of a {label} picture");
            sorted.sort_by(f64::total_cmp);
            let last = (sorted.len() - 1) as f64;
            // Six digits say all that the pictures know.
            let rounded = |value: f64| format!("{value:.6e}").parse().unwrap_or(value);
            (0..=N_STEPS)
                .map(|i| rounded(sorted[(last * i as f64 / N_STEPS as f64).round() as usize]))
                .collect()
        };
        let [real, fake] = [Label::Real, Label::Fake].map(quantiles);
        Self { measure: measure.name().to_owned(), used, real, fake }
    }

    /// Share of the camera pictures with a lower value, in percent; of equal ones half.
    #[must_use]
    pub fn percentile(&self, value: f64) -> f64 {
        let below = self.real.partition_point(|quantile| *quantile < value);
        let up_to = self.real.partition_point(|quantile| *quantile <= value);
        let at = if up_to > below {
            // Equal to some of the quantiles.
            (below + up_to - 1) as f64 / 2.0
        } else if below == 0 || below > N_STEPS {
            below as f64
        } else {
            let (low, high) = (self.real[below - 1], self.real[below]);
            (below - 1) as f64 + (value - low) / (high - low)
        };
        (100.0 * at / N_STEPS as f64).clamp(0.0, 100.0)
    }

    /// Share of the camera pictures that are further out on `side`, in percent; of equal ones half.
    pub(super) fn tail(&self, value: f64, side: Side) -> f64 {
        match side {
            Side::Low => self.percentile(value),
            Side::High => 100.0 - self.percentile(value),
        }
    }
}

/// The spreads of all measures, and from where on a value is out of the ordinary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The pictures that it was made of.
    pub origin: String,
    /// Height and width of the pictures.
    pub side: u32,
    /// A value is out of the ordinary where at most this share of camera pictures, in percent, is as
    /// far out.
    pub tail: f64,
    /// One for each measure.
    pub spreads: Vec<Spread>,
}

impl Calibration {
    /// The calibration in the JSON file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be read, [`Error::Calibration`] if it is none.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        Self::from_json(&file::read_limited(path, MAX_BYTES)?)
    }

    /// The calibration in `json`.
    ///
    /// # Errors
    ///
    /// [`Error::Calibration`] if a measure is missing or unknown, or its quantiles do not rise.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let calibration: Self =
            serde_json::from_slice(json).map_err(|error| Error::Calibration(error.to_string()))?;
        let fail = |reason: String| Err(Error::Calibration(reason));
        let names = calibration.spreads.iter().map(|spread| spread.measure.as_str());
        if !names.eq(Measure::all().map(Measure::name)) {
            return fail("its measures are not those of this version".to_owned());
        }
        for spread in &calibration.spreads {
            for quantiles in [&spread.real, &spread.fake] {
                let rises =
                    quantiles.is_sorted() && quantiles.iter().all(|value| value.is_finite());
                if quantiles.len() != N_STEPS + 1 || !rises {
                    return fail(format!("the quantiles of {} do not rise", spread.measure));
                }
            }
        }
        if !(0.0..=50.0).contains(&calibration.tail) || calibration.side < 16 {
            return fail("its tail or its side is out of range".to_owned());
        }
        Ok(calibration)
    }

    /// The spread of `measure`.
    ///
    /// # Panics
    ///
    /// If a measure has no spread, which the constructors exclude.
    #[must_use]
    pub fn spread(&self, measure: Measure) -> &Spread {
        let mut spreads = self.spreads.iter();
        spreads.find(|spread| spread.measure == measure.name()).expect("one for each measure")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(real: impl Iterator<Item = f64>) -> Spread {
        let measure = Measure::all().next().expect("there are measures");
        let values: Vec<_> = real.map(|value| (Label::Real, value)).collect();
        Spread::new(measure, &[values, vec![(Label::Fake, 0.0)]].concat(), true)
    }

    #[test]
    fn percentiles_count_what_lies_below() {
        let even = spread((0..=1000).map(f64::from));
        for (value, expected) in
            [(-1.0, 0.0), (0.0, 0.0), (500.0, 50.0), (1000.0, 100.0), (2e3, 100.0)]
        {
            assert!((even.percentile(value) - expected).abs() < 1e-9, "{value}");
        }
        assert!((even.percentile(502.5) - 50.25).abs() < 1e-9, "between two quantiles");
        assert!((even.tail(900.0, Side::High) - 10.0).abs() < 1e-9);
        assert!((even.tail(900.0, Side::Low) - 90.0).abs() < 1e-9);
        // Three in four are 0: being 0 is nothing out of the ordinary on either side.
        let mostly_none = spread((0..1000).map(|i| f64::from(i / 750)));
        assert!((30.0..45.0).contains(&mostly_none.percentile(0.0)), "half of the equal ones");
    }

    #[test]
    fn a_broken_calibration_is_refused() {
        let spreads = |used: bool| {
            let spread =
                |measure| Spread::new(measure, &[(Label::Real, 1.0), (Label::Fake, 2.0)], used);
            Measure::all().map(spread).collect::<Vec<_>>()
        };
        let good =
            Calibration { origin: "a test".into(), side: 32, tail: 2.5, spreads: spreads(true) };
        let read = |calibration: &Calibration| {
            Calibration::from_json(&serde_json::to_vec(calibration).expect("plain data"))
        };
        assert_eq!(read(&good).expect("as written"), good);
        let mut fewer = good.clone();
        fewer.spreads.pop();
        let mut falls = good.clone();
        falls.spreads[0].real[0] = 5.0;
        let tail = Calibration { tail: f64::NAN, ..good };
        for broken in [fewer, falls] {
            assert!(read(&broken).is_err());
        }
        assert!(Calibration::from_json(b"{").is_err());
        assert!(read(&tail).is_err(), "NaN has no JSON form");
    }
}
