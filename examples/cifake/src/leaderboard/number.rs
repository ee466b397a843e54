//! Numbers in words for tables.

use cifake::text::percent;
use cifake_eval::metrics::Metric;

/// The mark of a missing number.
pub(super) const NONE: &str = "-";

/// `97.48 [97.25, 97.70]`, of a share.
pub(super) fn interval(metric: &Metric) -> String {
    format!("{} [{}, {}]", percent(metric.value), percent(metric.low), percent(metric.high))
}

/// The text that `show` makes of `value`, or a dash.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), show)
}

/// `5.07`, of millions.
pub(super) fn millions(count: u64) -> String {
    format!("{:.2}", count as f64 / 1e6)
}

/// `0.0123`, or that it is smaller than a thousandth.
pub(super) fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// The first digits of a hash.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_for_a_reader() {
        let metric = Metric { value: 0.97484, low: 0.97249, high: 0.977 };
        assert_eq!(interval(&metric), "97.48 [97.25, 97.70]");
        assert_eq!(or_dash(None::<f64>, percent), "-");
        assert_eq!(or_dash(Some(0.5), percent), "50.00");
        assert_eq!((millions(62_549_664), probability(0.01234)), ("62.55".into(), "0.012".into()));
        assert_eq!(
            (probability(0.0), short("0123456789abcdef")),
            ("< 0.001".into(), "0123456789ab".into())
        );
    }
}
