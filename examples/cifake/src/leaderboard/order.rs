//! The orders in which rows can be read.

use std::cmp::Reverse;

use super::row::Row;

/// The mark at the name of a row that was measured on other pictures than most rows of the page.
pub(super) const OTHER: &str = " *";
/// The meaning of the mark.
pub(super) const OTHER_WORDS: &str = "A row with a star (*) was measured on other pictures than the first rows. Do not compare it with them.";

/// The pictures that a value was measured on: their number, and a text that is the same for the same pictures. The
/// first are the larger ones.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject(Reverse<usize>, String);

/// An order of rows.
pub(super) struct Order {
    /// Its name in a page's markup: letters alone.
    pub(super) id: &'static str,
    /// Its name for a reader.
    pub(super) label: &'static str,
    /// Whether the largest value comes first.
    falls: bool,
    /// The pictures that the value was measured on; values of different subjects are not compared.
    subject: fn(&Row) -> Subject,
    value: fn(&Row) -> Option<f64>,
}

/// The orders; the first is the usual one.
pub(super) const ORDERS: [Order; 8] = [
    falling("accuracy", "accuracy", |row| Some(row.measures.accuracy.value)),
    falling("auc", "AUC", |row| Some(row.measures.auc?.value)),
    falling("tpr", "TPR at 1 % FPR", |row| Some(row.measures.tpr_at_fpr_1?.value)),
    rising("ece", "ECE", |row| Some(row.measures.ece?.value)),
    Order {
        subject: |row| {
            let part = row.built.as_ref();
            let counts = part.iter().flat_map(|part| &part.found.rows).map(|row| row.n);
            let n = counts.fold(0, usize::saturating_add);
            Subject(Reverse(n), part.map_or_else(String::new, |part| part.key.clone()))
        },
        ..falling("static", "attacked set", |row| Some(row.built.as_ref()?.found.accuracy.value))
    },
    Order {
        subject: |row| {
            let last = row.adaptive.as_ref().and_then(|part| part.found.rows.last());
            let Subject(_, pictures) = pictures(row);
            Subject(Reverse(last.map_or(0, |share| share.n)), pictures)
        },
        ..falling("adaptive", "under attack", |row| {
            Some(row.adaptive.as_ref()?.found.rows.last()?.accuracy.value)
        })
    },
    Order { subject: nothing, ..rising("latency", "time", |row| Some(row.cost.one.median_ms)) },
    Order {
        subject: nothing,
        ..rising("parameters", "parameters", |row| Some(row.parameters as f64))
    },
];

const fn falling(id: &'static str, label: &'static str, value: fn(&Row) -> Option<f64>) -> Order {
    Order { id, label, falls: true, subject: pictures, value }
}

const fn rising(id: &'static str, label: &'static str, value: fn(&Row) -> Option<f64>) -> Order {
    Order { id, label, falls: false, subject: pictures, value }
}

/// The pictures of a row.
fn pictures(row: &Row) -> Subject {
    let n = row.measures.n.saturating_add(row.n_failed);
    Subject(Reverse(n), row.made_of.pictures_sha256.clone())
}

/// For what no picture changes.
fn nothing(_: &Row) -> Subject {
    Subject(Reverse(0), String::new())
}

impl Order {
    /// `rows` in this order: those of the most pictures first, and among the same pictures by their values. Rows
    /// without a value come last, equal ones by name.
    pub(super) fn sorted<'a>(&self, rows: &[&'a Row]) -> Vec<&'a Row> {
        let key = |row: &Row| {
            let value = (self.value)(row);
            let height = value.map_or(0.0, |value| if self.falls { -value } else { value });
            (value.is_none(), (self.subject)(row), height)
        };
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| {
            let [a_key, b_key] = [a, b].map(|row| key(row));
            let by_subject = (a_key.0, &a_key.1).cmp(&(b_key.0, &b_key.1));
            by_subject.then(a_key.2.total_cmp(&b_key.2)).then_with(|| a.name.cmp(&b.name))
        });
        rows
    }

    /// Whether a row has a value to be sorted by.
    pub(super) fn applies(&self, rows: &[&Row]) -> bool {
        rows.iter().any(|row| (self.value)(row).is_some())
    }
}

/// The name of `row`, with [`OTHER`] where its pictures are not those of the first of `rows` by pictures.
pub(super) fn shown_name(row: &Row, rows: &[&Row]) -> String {
    let mark = if is_other(row, rows) { OTHER } else { "" };
    format!("{}{mark}", row.name)
}

/// [`OTHER_WORDS`], where they are needed.
pub(super) fn words_of_others(rows: &[&Row]) -> Option<String> {
    rows.iter().any(|row| is_other(row, rows)).then(|| OTHER_WORDS.to_owned())
}

fn is_other(row: &Row, rows: &[&Row]) -> bool {
    rows.iter().map(|row| pictures(row)).min().is_some_and(|first| pictures(row) != first)
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

    #[test]
    fn other_pictures_are_a_group_of_their_own_and_marked() {
        let [a, b, mut few, mut fewer] = [("a", 0.9), ("b", 0.95), ("few", 0.99), ("fewer", 1.0)]
            .map(|(name, of)| row(name, of));
        for (row, digit, n) in [(&mut few, "0", 4000), (&mut fewer, "1", 2000)] {
            row.made_of.pictures_sha256 = digit.repeat(64);
            row.measures.n = n;
        }
        fewer.cost.one.median_ms = 0.1;
        let rows = [&fewer, &few, &a, &b];
        let sorted = |order: &Order| {
            order.sorted(&rows).iter().map(|row| row.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(sorted(&ORDERS[0]), ["b", "a", "few", "fewer"]);
        let latency = ORDERS.iter().find(|order| order.id == "latency").expect("an order");
        assert_eq!(sorted(latency)[0], "fewer", "times do not depend on the pictures");
        let names = [&a, &few].map(|row| shown_name(row, &rows));
        assert_eq!(names, ["a", "few *"]);
        assert_eq!(words_of_others(&rows).as_deref(), Some(OTHER_WORDS));
        assert_eq!(words_of_others(&[&a, &b]), None);
        // The same pictures are no guarantee of the same attacked set.
        let [small, mut large] = [with_built(a, 0.9), with_built(b, 0.5)];
        if let Some(part) = &mut large.built {
            part.key = "another".to_owned();
            part.found.rows.push(crate::leaderboard::row::Share {
                name: "PGD".to_owned(),
                n: 9,
                accuracy: part.found.accuracy,
            });
        }
        let built = ORDERS.iter().find(|order| order.id == "static").expect("an order");
        assert_eq!(built.sorted(&[&small, &large]), [&large, &small]);
    }
}
