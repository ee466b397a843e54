//! Numbers for readers.

/// Significant digits of a measurement.
const N_DIGITS: i32 = 3;

/// A share in percent, never rounded to certainty.
pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p > 99.95 => "over 99.9 %".to_owned(),
        p if p < 0.05 => "under 0.1 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// A value to three significant digits.
pub(super) fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    match magnitude {
        -4..=5 => format!("{value:.*}", (N_DIGITS - 1 - magnitude).max(0) as usize),
        _ => format!("{value:.*e}", N_DIGITS as usize - 1),
    }
}

/// The position of `percentile` among camera pictures, counted from the nearer end. It is rounded
/// down, so that it never exceeds the measurement.
pub(super) fn standing(percentile: f64) -> String {
    let floor = |percent: f64| (percent * 10.0 + 1e-6).floor() / 10.0;
    match percentile {
        p if p.is_nan() => "unknown".to_owned(),
        p if p >= 100.0 => "above all".to_owned(),
        p if p <= 0.0 => "below all".to_owned(),
        p if p >= 50.0 => format!("above {:.1} %", floor(p)),
        p => format!("below {:.1} %", floor(100.0 - p)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_probability_is_rounded_to_certainty() {
        let shown = [0.0, 0.000_4, 0.973_24, 0.999_4, 0.9996, 1.0].map(percent);
        let expected = ["under 0.1 %", "under 0.1 %", "97.3 %", "99.9 %", "over 99.9 %"];
        assert_eq!(shown[..5], expected);
        assert_eq!(shown[5], expected[4]);
    }

    #[test]
    fn three_digits_of_any_magnitude() {
        let values = [0.0, 0.001_234_5, -0.5, 12.345, 999.9, 65_432.1, 1e-9, 1.5e12];
        let expected = ["0", "0.00123", "-0.500", "12.3", "1000", "65432", "1.00e-9", "1.50e12"];
        assert_eq!(values.map(significant), expected);
        assert_eq!(significant(f64::NAN), "NaN");
    }

    #[test]
    fn a_standing_never_says_more_than_was_measured() {
        let percentiles = [0.0, 0.04, 2.5, 50.0, 97.3, 99.96, 100.0];
        let expected = [
            "below all",
            "below 99.9 %",
            "below 97.5 %",
            "above 50.0 %",
            "above 97.3 %",
            "above 99.9 %",
            "above all",
        ];
        assert_eq!(percentiles.map(standing), expected);
    }
}
