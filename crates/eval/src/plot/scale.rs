//! The map from values to places along an axis.

/// Room at either end of a linear axis, in shares of the values' range.
const ROOM: f64 = 0.08;
/// Room at either end of a logarithmic axis, as a factor.
const FACTOR: f64 = 1.6;
/// Gaps between the ticks of a linear axis, at most.
const GAPS: f64 = 8.0;
/// Ticks of a logarithmic axis, at most, before those between the decades go.
const TICKS: usize = 8;

/// An axis that holds some values, for figures that a caller draws.
///
/// ```
/// use cifake_eval::plot::Scale;
///
/// let scale = Scale::logarithmic([0.4, 30.0]).expect("they are positive");
/// assert_eq!(scale.ticks(), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]);
/// assert!(scale.place(0.4) > 0.0 && scale.place(0.4) < scale.place(30.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The ends: values, or the logarithms to base 10 of values.
    ends: [f64; 2],
    is_logarithmic: bool,
}

impl Scale {
    /// A linear axis; `None` without a finite value.
    #[must_use]
    pub fn linear(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let [low, high] = ends(values)?;
        let room = if high > low { ROOM * (high - low) } else { low.abs().max(1.0) / 100.0 };
        Some(Self { ends: [low - room, high + room], is_logarithmic: false })
    }

    /// A logarithmic axis; `None` without a positive value. Others are left out.
    #[must_use]
    pub fn logarithmic(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let [low, high] = ends(values.into_iter().filter(|value| *value > 0.0))?;
        let ends = [(low / FACTOR).log10(), (high * FACTOR).log10()];
        ends.iter().all(|end| end.is_finite()).then_some(Self { ends, is_logarithmic: true })
    }

    /// The place of `value`: 0 at the lower end of the axis, 1 at the upper one. On a logarithmic axis, a value that is
    /// not positive stands at the lower end.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let [low, high] = self.ends;
        let value = match self.is_logarithmic {
            true if value > 0.0 => value.log10(),
            true => low,
            false => value,
        };
        (value - low) / (high - low)
    }

    /// Round values between the ends, in ascending order.
    #[must_use]
    pub fn ticks(&self) -> Vec<f64> {
        let [low, high] = self.ends;
        if self.is_logarithmic {
            return self.logarithmic_ticks();
        }
        let least = (high - low) / GAPS;
        let decade = 10.0_f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * decade);
        let step = step.into_iter().find(|step| *step >= least).unwrap_or(10.0 * decade);
        let [first, last] = [(low / step).ceil(), (high / step).floor()];
        (0..=(last - first).max(0.0) as usize).map(|tick| (first + tick as f64) * step).collect()
    }

    fn logarithmic_ticks(&self) -> Vec<f64> {
        let [low, high] = self.ends;
        let decades = (low.floor() as i32)..=(high.floor() as i32);
        let of = |times: &[f64]| -> Vec<f64> {
            let tick = |decade: i32| times.iter().map(move |times| times * 10.0_f64.powi(decade));
            let is_inside = |tick: &f64| (low..=high).contains(&tick.log10());
            decades.clone().flat_map(tick).filter(is_inside).collect()
        };
        let all = of(&[1.0, 2.0, 5.0]);
        if all.len() <= TICKS { all } else { of(&[1.0]) }
    }
}

/// The least and the greatest finite value.
fn ends(values: impl IntoIterator<Item = f64>) -> Option<[f64; 2]> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold(None, |ends, value| {
        let [low, high] = ends.unwrap_or([value; 2]);
        Some([low.min(value), high.max(value)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_inside_in_their_order() {
        let values = [46.34, 98.67, 97.48];
        let scale = Scale::linear(values).expect("there are values");
        let places = values.map(|value| scale.place(value));
        assert!(places.iter().all(|place| (0.0..=1.0).contains(place)), "{places:?}");
        assert!(places[0] < places[2] && places[2] < places[1], "{places:?}");
        assert_eq!(scale.ticks(), [50.0, 60.0, 70.0, 80.0, 90.0, 100.0]);
        let scale = Scale::logarithmic([1.0, 100.0]).expect("they are positive");
        assert!((scale.place(10.0) - 0.5).abs() < 1e-12);
        assert_eq!(scale.place(0.0), 0.0);
    }

    #[test]
    fn one_value_or_equal_ones_have_an_axis() {
        for value in [0.0, -3.0, 97.5, 1e-9] {
            let scale = Scale::linear([value, value]).expect("there is a value");
            assert!((scale.place(value) - 0.5).abs() < 1e-6, "{value}");
            assert!(scale.ticks().len() < 12);
        }
        let scale = Scale::logarithmic([3.0]).expect("it is positive");
        assert_eq!(scale.ticks(), [2.0]);
    }

    #[test]
    fn decades_alone_are_ticks_of_a_wide_axis() {
        let scale = Scale::logarithmic([0.01, 5000.0]).expect("they are positive");
        assert_eq!(scale.ticks(), [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn without_a_value_there_is_no_axis() {
        assert_eq!(Scale::linear([f64::NAN, f64::INFINITY]), None);
        assert_eq!(Scale::logarithmic([0.0, -1.0]), None);
        assert_eq!(Scale::linear([]), None);
    }
}
