//! Means over the pictures that define a value.

use cifake_eval::metrics::{Bootstrap, Metric};
use serde::{Deserialize, Serialize};

/// A mean over the pictures that define a value, with its interval. Its JSON has `n`, `value`, `low`
/// and `high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Number of pictures that define a value.
    pub n: usize,
    /// The mean with its bootstrap interval.
    #[serde(flatten)]
    pub metric: Metric,
}

/// Means of each column of `rows`, one row a picture; `None` of a column that no picture defines.
/// All columns share the draws, so that their differences have paired intervals.
pub(super) fn means<const K: usize>(
    rows: &[[Option<f64>; K]],
    bootstrap: &Bootstrap,
) -> [Option<Mean>; K] {
    if rows.is_empty() {
        return [None; K];
    }
    let statistics = |counts: &[u32]| -> [f64; K] {
        let (mut sums, mut weights) = ([0.0; K], [0.0; K]);
        for (row, &count) in rows.iter().zip(counts) {
            for (column, value) in row.iter().enumerate() {
                if let Some(value) = value {
                    sums[column] += f64::from(count) * value;
                    weights[column] += f64::from(count);
                }
            }
        }
        // NaN where this draw holds no picture that defines the column.
        std::array::from_fn(|column| sums[column] / weights[column])
    };
    let values = statistics(&vec![1; rows.len()]);
    let intervals = bootstrap.intervals(rows.len(), statistics);
    std::array::from_fn(|column| {
        let (n, value) = (rows.iter().filter(|row| row[column].is_some()).count(), values[column]);
        let (low, high) = intervals[column].unwrap_or((value, value));
        (n > 0).then_some(Mean { n, metric: Metric { value, low, high } })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_over_the_pictures_that_define_it() {
        let rows = [[Some(1.0), None, None], [Some(0.0), Some(0.25), None]];
        let [both, one, none] = means(&rows, &Bootstrap::new(5));
        let both = both.expect("two define it");
        assert_eq!(
            (both.n, both.metric.value, both.metric.low, both.metric.high),
            (2, 0.5, 0.0, 1.0)
        );
        let one = one.expect("one defines it");
        assert_eq!(
            (one.n, one.metric.value, one.metric.low, one.metric.high),
            (1, 0.25, 0.25, 0.25)
        );
        assert_eq!((none, means::<1>(&[], &Bootstrap::new(5))), (None, [None]));
    }

    #[test]
    fn a_mean_is_flat_in_json() {
        let metric = Metric { value: 0.5, low: 0.25, high: 0.75 };
        let json = serde_json::to_string(&Mean { n: 3, metric }).expect("numbers");
        assert_eq!(json, r#"{"n":3,"value":0.5,"low":0.25,"high":0.75}"#);
    }
}
