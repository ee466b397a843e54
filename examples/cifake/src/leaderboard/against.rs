//! The table of the test against the default detector.

use std::collections::BTreeMap;

use super::entrant::DEFAULT;
use super::number::probability;
use super::order::{shown_name, words_of_others};
use super::row::Row;
use super::table::Table;

/// SHA-256 of the weights that the rows were compared with: those of the default detector's row, else those of most
/// rows.
fn default_of<'a>(rows: &[&'a Row]) -> Option<&'a str> {
    let is_its_own = |row: &&&Row| {
        row.name == DEFAULT && row.made_of.weights_sha256 == row.made_of.default_sha256
    };
    if let Some(row) = rows.iter().find(is_its_own) {
        return Some(&row.made_of.default_sha256);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.mcnemar.is_some()) {
        *counts.entry(&row.made_of.default_sha256).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(_, n)| n).map(|(sha256, _)| sha256)
}

/// Words and table of the rows that were compared with one default detector; `None` where none was compared.
pub(super) fn against_default(rows: &[&Row]) -> Option<(Vec<String>, Table)> {
    let default = default_of(rows)?;
    let columns = ["it alone is right", "the default alone is right", "p"];
    let mut table = Table::of_numbers("detector", columns);
    let mut others = Vec::new();
    for row in rows {
        if let Some(test) = &row.mcnemar {
            if row.made_of.default_sha256 != default {
                others.push(row.name.as_str());
                continue;
            }
            let [it, default] = [test.only_first, test.only_second].map(|n| n.to_string());
            table.add(&shown_name(row, rows), [it, default, probability(test.p)]);
        }
    }
    let words = [
        "McNemar's exact test compares each detector with the default one, native, on the same pictures.",
        "It looks at those on which exactly one of the two is right, at a threshold of 0.5.",
        "The value p is the probability of a split at least as uneven between equally good detectors.",
    ];
    let left_out = (!others.is_empty()).then(|| {
        format!(
            "These rows are left out, since they were compared with other weights of native: {}. A run makes them again where --detectors names them.",
            others.join(", ")
        )
    });
    let mut words: Vec<String> = words.map(str::to_owned).into();
    words.extend(words_of_others(rows));
    words.extend(left_out);
    let is_shown = !table.rows.is_empty() || !others.is_empty();
    is_shown.then_some((words, table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::row;
    use crate::leaderboard::table::Cell;

    #[test]
    fn a_row_against_another_default_is_left_out_with_the_reason() {
        let [mut native, a, mut b, mut c] = ["native", "a", "b", "c"].map(|name| row(name, 0.9));
        for row in [&mut b, &mut c] {
            row.made_of.default_sha256 = "01".repeat(32);
        }
        native.mcnemar = None;
        native.made_of.weights_sha256 = native.made_of.default_sha256.clone();
        let shown = |rows: &[&Row]| {
            let (words, table) = against_default(rows).expect("some were compared");
            let names = table.rows.iter().map(|cells| cells[0].clone()).collect::<Vec<_>>();
            let reason = words.into_iter().find(|words| words.starts_with("These rows"));
            (names, reason)
        };
        let cells = |names: &[&str]| {
            names.iter().map(|&name| Cell::Text(name.to_owned())).collect::<Vec<_>>()
        };
        // The row native decides, then the number of rows.
        let (names, reason) = shown(&[&native, &a, &b, &c]);
        assert_eq!(names, cells(&["a"]));
        assert!(reason.is_some_and(|words| words.contains("native: b, c. ")));
        let (names, reason) = shown(&[&a, &b, &c]);
        assert_eq!(names, cells(&["b", "c"]));
        assert!(reason.is_some_and(|words| words.contains("native: a. ")));
        assert_eq!(shown(&[&native, &a]), (cells(&["a"]), None));
        assert!(against_default(&[&native]).is_none());
    }
}
