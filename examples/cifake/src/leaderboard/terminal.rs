//! The rows in a few columns, for a terminal.

use std::fmt::Write;

use cifake::text::one_line;

use super::number::{interval, or_dash};
use super::order::{shown_name, words_of_others};
use super::row::Row;
use super::section::usual;

/// A line a row, the best first.
pub(crate) fn summary(rows: &[&Row]) -> String {
    let mut text = format!(
        "{:>24}  {:>7}  {:>7}  {:>7}  {:>8}  {:>9}  DETECTOR\n",
        "ACCURACY %", "AUC", "ECE", "N", "MS", "PARAMS, M"
    );
    for row in usual(rows) {
        let four = |metric: cifake_eval::metrics::Metric| format!("{:.4}", metric.value);
        let [auc, ece] = [row.measures.auc, row.measures.ece].map(|metric| or_dash(metric, four));
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "{:>24}  {auc:>7}  {ece:>7}  {:>7}  {:>8.2}  {:>9.2}  {}",
            interval(&row.measures.accuracy),
            row.measures.n,
            row.cost.one.median_ms,
            row.parameters as f64 / 1e6,
            one_line(&shown_name(row, rows))
        );
    }
    if let Some(words) = words_of_others(rows) {
        let _ = writeln!(text, "\n{words}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::{hostile, row};

    #[test]
    fn a_line_is_a_row_whatever_its_name() {
        let rows = [row("a", 0.8), hostile(), row("b", 0.9)];
        let text = summary(&rows.iter().collect::<Vec<_>>());
        let names: Vec<&str> = text.lines().filter_map(|line| line.get(74..)).collect();
        assert_eq!(names[..3], ["DETECTOR", "b", "a"], "{text}");
        assert_eq!(text.lines().count(), 4);
        assert!(!text.contains('\u{202e}'));
    }
}
