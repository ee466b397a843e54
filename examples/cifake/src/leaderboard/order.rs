//! The orders in which rows can be read.

use super::row::Row;

/// An order of rows.
pub(super) struct Order {
    /// Its name in a page's markup: letters alone.
    pub(super) id: &'static str,
    /// Its name for a reader.
    pub(super) label: &'static str,
    /// Whether the largest value comes first.
    falls: bool,
    value: fn(&Row) -> Option<f64>,
}

/// The orders; the first is the usual one.
pub(super) const ORDERS: [Order; 8] = [
    falling("accuracy", "accuracy", |row| Some(row.measures.accuracy.value)),
    falling("auc", "AUC", |row| Some(row.measures.auc?.value)),
    falling("tpr", "TPR at 1 % FPR", |row| Some(row.measures.tpr_at_fpr_1?.value)),
    rising("ece", "ECE", |row| Some(row.measures.ece?.value)),
    falling("static", "attacked set", |row| Some(row.built.as_ref()?.found.accuracy.value)),
    falling("adaptive", "under attack", |row| {
        Some(row.adaptive.as_ref()?.found.rows.last()?.accuracy.value)
    }),
    rising("latency", "time", |row| Some(row.cost.one.median_ms)),
    rising("parameters", "parameters", |row| Some(row.parameters as f64)),
];

const fn falling(id: &'static str, label: &'static str, value: fn(&Row) -> Option<f64>) -> Order {
    Order { id, label, falls: true, value }
}

const fn rising(id: &'static str, label: &'static str, value: fn(&Row) -> Option<f64>) -> Order {
    Order { id, label, falls: false, value }
}

impl Order {
    /// `rows` in this order; rows without a value come last, equal ones by name.
    pub(super) fn sorted<'a>(&self, rows: &[&'a Row]) -> Vec<&'a Row> {
        let key = |row: &Row| match (self.value)(row) {
            Some(value) if self.falls => -value,
            Some(value) => value,
            None => f64::INFINITY,
        };
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| key(a).total_cmp(&key(b)).then_with(|| a.name.cmp(&b.name)));
        rows
    }

    /// Whether a row has a value to be sorted by.
    pub(super) fn applies(&self, rows: &[&Row]) -> bool {
        rows.iter().any(|row| (self.value)(row).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::{row, with_built};

    #[test]
    fn the_best_comes_first_and_what_is_not_measured_last() {
        let [mut a, b, c] = [("a", 0.9), ("b", 0.95), ("c", 0.8)].map(|(name, of)| row(name, of));
        a.cost.one.median_ms = 0.5;
        let c = with_built(c, 0.7);
        let rows = [&a, &b, &c];
        let names = |id: &str| -> String {
            let order = ORDERS.iter().find(|order| order.id == id).expect("an order");
            order.sorted(&rows).iter().map(|row| row.name.as_str()).collect()
        };
        assert_eq!(names("accuracy"), "bac");
        assert_eq!(names("latency"), "abc");
        assert_eq!(names("static"), "cab");
        let applies = |id: &str| ORDERS.iter().any(|order| order.id == id && order.applies(&rows));
        assert!(applies("static") && !applies("adaptive"));
    }
}
