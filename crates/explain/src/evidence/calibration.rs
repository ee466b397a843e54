//! Distributions of the measures over camera pictures and over generated pictures.

use std::path::Path;

use cifake::{Label, file};
use serde::{Deserialize, Serialize};

use super::{CalibrationFault, Measure, Side};
use crate::Error;

/// Number of steps between the quantiles that are kept.
const N_STEPS: usize = 200;
/// Largest calibration file that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// The distribution of a measure's values over many pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spread {
    measure: String,
    used: bool,
    /// 201 quantiles over camera pictures, from the least value to the largest.
    real: Vec<f64>,
    /// The same over generated pictures.
    fake: Vec<f64>,
}

impl Spread {
    /// The spread of `values` of `measure`, each with its label. `used` tells whether the measure
    /// separates the labels well enough to be used.
    ///
    /// # Errors
    ///
    /// [`CalibrationFault::NoPictures`] if a label has no value; [`CalibrationFault::Quantiles`] if a
    /// value is not finite.
    pub fn new(
        measure: Measure,
        values: &[(Label, f64)],
        used: bool,
    ) -> Result<Self, CalibrationFault> {
        let quantiles = |label: Label| {
            let of_label = values.iter().filter(|(other, _)| *other == label);
            let mut sorted: Vec<f64> = of_label.map(|(_, value)| *value).collect();
            sorted.sort_by(f64::total_cmp);
            let last = sorted.len().checked_sub(1).ok_or(CalibrationFault::NoPictures)? as f64;
            // Seven significant digits keep the file small and lose nothing that matters.
            let rounded = |value: f64| format!("{value:.6e}").parse().unwrap_or(value);
            Ok((0..=N_STEPS)
                .map(|i| rounded(sorted[(last * i as f64 / N_STEPS as f64).round() as usize]))
                .collect())
        };
        let (real, fake) = (quantiles(Label::Real)?, quantiles(Label::Fake)?);
        Self { measure: measure.name().to_owned(), used, real, fake }.checked()
    }

    fn checked(self) -> Result<Self, CalibrationFault> {
        let rises = |of: &Vec<f64>| {
            of.len() == N_STEPS + 1 && of.is_sorted() && of.iter().all(|value| value.is_finite())
        };
        if rises(&self.real) && rises(&self.fake) {
            return Ok(self);
        }
        Err(CalibrationFault::Quantiles { measure: self.measure, n: N_STEPS + 1 })
    }

    /// Name of the measure.
    #[must_use]
    pub fn measure(&self) -> &str {
        &self.measure
    }

    /// Whether the measure separates REAL from FAKE well enough to be used.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.used
    }

    /// Share of the camera pictures with a lower value, in percent. Equal values count half.
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

    /// Share of the camera pictures that are further out on `side`, in percent. Equal values count
    /// half.
    pub(super) fn tail(&self, value: f64, side: Side) -> f64 {
        match side {
            Side::Low => self.percentile(value),
            Side::High => 100.0 - self.percentile(value),
        }
    }
}

/// The spreads of all measures, and the tail in which a value is out of the ordinary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    origin: String,
    side: u32,
    tail: f64,
    spreads: Vec<Spread>,
}

/// A calibration file before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    origin: String,
    side: u32,
    tail: f64,
    spreads: Vec<UncheckedSpread>,
}

/// A [`Spread`] in a calibration file before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedSpread {
    measure: String,
    used: bool,
    real: Vec<f64>,
    fake: Vec<f64>,
}

impl UncheckedSpread {
    fn checked(self) -> Result<Spread, CalibrationFault> {
        let Self { measure, used, real, fake } = self;
        Spread { measure, used, real, fake }.checked()
    }
}

impl Calibration {
    /// A calibration of `spreads`, one for each measure in the order of [`Measure::all`].
    ///
    /// `origin` describes its pictures, and `side` is their height and width in pixels, at least 16.
    /// A value is out of the ordinary if at most `tail` percent of the camera pictures, 0 to 50, are
    /// as far out.
    ///
    /// # Errors
    ///
    /// A [`CalibrationFault`].
    pub fn new(
        origin: String,
        side: u32,
        tail: f64,
        spreads: Vec<Spread>,
    ) -> Result<Self, CalibrationFault> {
        if !spreads.iter().map(Spread::measure).eq(Measure::all().map(Measure::name)) {
            return Err(CalibrationFault::Measures);
        }
        if side < 16 {
            return Err(CalibrationFault::PictureSide(side));
        }
        let spreads = spreads.into_iter().map(Spread::checked).collect::<Result<_, _>>()?;
        Self { origin, side, tail, spreads }.with_tail(tail)
    }

    /// The calibration in the JSON file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be read; those of [`from_json`](Self::from_json).
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        Self::from_json(&file::read_limited(path, MAX_BYTES)?)
    }

    /// The calibration in `json`.
    ///
    /// # Errors
    ///
    /// [`Error::CalibrationForm`] for other JSON; [`Error::Calibration`] for invalid numbers.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let Unchecked { origin, side, tail, spreads } =
            serde_json::from_slice(json).map_err(Error::CalibrationForm)?;
        let spreads =
            spreads.into_iter().map(UncheckedSpread::checked).collect::<Result<_, _>>()?;
        Ok(Self::new(origin, side, tail, spreads)?)
    }

    /// The same with another tail.
    ///
    /// # Errors
    ///
    /// [`CalibrationFault::Tail`] if it is not in 0 to 50.
    pub fn with_tail(self, tail: f64) -> Result<Self, CalibrationFault> {
        if !(0.0..=50.0).contains(&tail) {
            return Err(CalibrationFault::Tail(tail));
        }
        Ok(Self { tail, ..self })
    }

    /// A description of its pictures.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Height and width of the pictures.
    #[must_use]
    pub fn side(&self) -> u32 {
        self.side
    }

    /// Share of camera pictures, in percent, that may be as far out as a value out of the ordinary.
    #[must_use]
    pub fn tail(&self) -> f64 {
        self.tail
    }

    /// The spread of `measure`.
    #[must_use]
    pub fn spread(&self, measure: Measure) -> &Spread {
        &self.spreads[measure.index()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spread(real: impl Iterator<Item = f64>) -> Spread {
        let measure = Measure::all().next().expect("there are measures");
        let values: Vec<_> = real.map(|value| (Label::Real, value)).collect();
        let values = [values, vec![(Label::Fake, 0.0)]].concat();
        Spread::new(measure, &values, true).expect("both labels have values")
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

    /// 1 is ordinary, 2 is not.
    fn spreads() -> Vec<Spread> {
        let values = [(Label::Real, 1.0), (Label::Fake, 2.0)];
        let spread = |measure| Spread::new(measure, &values, true).expect("both labels");
        Measure::all().map(spread).collect()
    }

    #[test]
    fn a_calibration_is_read_as_it_was_written() {
        let calibration = Calibration::new("a test".into(), 32, 2.5, spreads()).expect("whole");
        let json = serde_json::to_vec(&calibration).expect("plain data");
        assert_eq!(Calibration::from_json(&json).expect("as written"), calibration);
        assert!(matches!(Calibration::from_json(&json[1..]), Err(Error::CalibrationForm(_))));
    }

    /// A file with empty quantiles must not reach `percentile`, which indexes them.
    #[test]
    fn a_file_with_empty_quantiles_is_refused() {
        let calibration = Calibration::new("a test".into(), 32, 2.5, spreads()).expect("whole");
        let mut json = serde_json::to_value(&calibration).expect("plain data");
        json["spreads"][0]["real"] = serde_json::json!([]);
        let error = Calibration::from_json(json.to_string().as_bytes()).expect_err("no quantiles");
        assert!(matches!(error, Error::Calibration(CalibrationFault::Quantiles { .. })), "{error}");
    }

    #[test]
    fn what_is_no_calibration_is_refused_by_its_fault() {
        let new = |side, tail, spreads| Calibration::new(String::new(), side, tail, spreads);
        let fault = |made: Result<Calibration, _>| made.expect_err("it is refused");
        let mut fewer = spreads();
        fewer.pop();
        assert_eq!(fault(new(32, 5.0, fewer)), CalibrationFault::Measures);
        let mut turned = spreads();
        turned.swap(0, 1);
        assert_eq!(fault(new(32, 5.0, turned)), CalibrationFault::Measures);
        for number in [f64::NAN, f64::INFINITY, 5.0] {
            let mut broken = spreads();
            broken[0].real[0] = number;
            assert!(matches!(fault(new(32, 5.0, broken)), CalibrationFault::Quantiles { .. }));
        }
        assert_eq!(fault(new(15, 5.0, spreads())), CalibrationFault::PictureSide(15));
        assert_eq!(fault(new(32, 51.0, spreads())), CalibrationFault::Tail(51.0));
        assert!(new(32, f64::NAN, spreads()).is_err());
        let measure = Measure::all().next().expect("there are measures");
        let real = [(Label::Real, 1.0)];
        assert_eq!(Spread::new(measure, &real, true), Err(CalibrationFault::NoPictures));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut at in 0.0f64..1.0, byte: u8, rest in prop::collection::vec(any::<u8>(), 0..64)) {
            let calibration = Calibration::new("a test".into(), 32, 2.5, spreads()).expect("whole");
            let mut json = serde_json::to_vec(&calibration).expect("plain data");
            at *= json.len() as f64;
            json[at as usize] = byte;
            for bytes in [&json, &rest] {
                if let Ok(read) = Calibration::from_json(bytes) {
                    let percentile = read.spread(Measure::all().next().expect("one")).percentile(1.5);
                    prop_assert!((0.0..=100.0).contains(&percentile));
                }
            }
        }
    }
}
