//! Rows that are changed in one place.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::leaderboard::row::tests::{row, with_all_parts};

/// The fault of a row whose field at `pointer` is `value`.
fn fault(pointer: &str, value: Value) -> Option<Fault> {
    let mut json = serde_json::to_value(with_all_parts(row("a", 0.75))).expect("plain data");
    *json.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is no field")) = value;
    let row: Row = serde_json::from_value(json).expect("of the right types");
    row.check(Path::new("folder/a.json")).err().map(|error| {
        assert!(error.to_string().contains("folder/a.json"), "{error}");
        error.fault
    })
}

#[test]
fn a_row_as_it_was_made_passes() {
    assert_eq!(fault("/name", json!("a")), None);
    let other = row("a", 0.75).check(Path::new("folder/b.json")).expect_err("another file");
    assert!(other.to_string().ends_with("stands in a.json"), "{other}");
}

#[test]
fn what_cannot_be_is_named() {
    let long = "x".repeat(MAX_TEXT + 1);
    type IsIt = fn(&Fault) -> bool;
    let wrong: &[(&str, Value, IsIt)] = &[
        ("/name", json!(""), |fault| *fault == Fault::Name),
        ("/name", json!("..."), |fault| *fault == Fault::Name),
        ("/name", json!("n".repeat(MAX_NAME + 1)), |fault| *fault == Fault::Name),
        ("/name", json!("../a"), |fault| matches!(fault, Fault::FileName { .. })),
        ("/architecture", json!(long), |fault| matches!(fault, Fault::Text { .. })),
        ("/command", json!(long), |fault| matches!(fault, Fault::Text { .. })),
        ("/static/found/set", json!(long), |fault| matches!(fault, Fault::Text { .. })),
        ("/generators/found/0/name", json!(long), |fault| matches!(fault, Fault::Text { .. })),
        ("/weights_sha256", json!("abc"), |fault| matches!(fault, Fault::Digest { .. })),
        ("/pictures_sha256", json!("é".repeat(32)), |fault| matches!(fault, Fault::Digest { .. })),
        ("/split", json!("rest"), |fault| *fault == Fault::Split),
        ("/measures/accuracy/value", json!(0.76), |fault| matches!(fault, Fault::Disagree { .. })),
        ("/measures/accuracy/value", json!(1.5), |fault| matches!(fault, Fault::Number { .. })),
        ("/measures/accuracy/high", json!(1e300), |fault| matches!(fault, Fault::Number { .. })),
        ("/measures/accuracy/low", json!(1.0), |fault| matches!(fault, Fault::Order { .. })),
        ("/measures/auc/low", json!(-0.1), |fault| matches!(fault, Fault::Number { .. })),
        ("/measures/n", json!(9999), |fault| matches!(fault, Fault::Count { .. })),
        ("/measures/n", json!(0), |fault| matches!(fault, Fault::Count { .. })),
        ("/measures/confusion/real_as_real", json!(usize::MAX), |fault| {
            matches!(fault, Fault::Count { .. })
        }),
        ("/limit", json!(10), |fault| matches!(fault, Fault::Count { .. })),
        ("/mcnemar/only_first", json!(usize::MAX), |fault| matches!(fault, Fault::Count { .. })),
        ("/mcnemar/p", json!(2.0), |fault| matches!(fault, Fault::Number { .. })),
        ("/mcnemar/p", json!(0.5), |fault| matches!(fault, Fault::Disagree { .. })),
        ("/mcnemar/only_second", json!(30), |fault| matches!(fault, Fault::Disagree { .. })),
        ("/version", json!(VERSION + 1), |fault| matches!(fault, Fault::Version { .. })),
        ("/n_failed", json!(usize::MAX), |fault| matches!(fault, Fault::Count { .. })),
        ("/degradations/found/0/n", json!(usize::MAX), |fault| {
            matches!(fault, Fault::Count { .. })
        }),
        ("/static/found/rows/0/n", json!(usize::MAX), |fault| matches!(fault, Fault::Count { .. })),
        ("/generators/found/0/n", json!(usize::MAX), |fault| matches!(fault, Fault::Count { .. })),
        ("/cost/one/min_ms", json!(-1.0), |fault| matches!(fault, Fault::Number { .. })),
        ("/cost/one/median_ms", json!(9.0), |fault| matches!(fault, Fault::Order { .. })),
        ("/cost/many/batch", json!(0), |fault| matches!(fault, Fault::Count { .. })),
        ("/static/found/accuracy/value", json!(-1.0), |fault| {
            matches!(fault, Fault::Number { .. })
        }),
        ("/adaptive/found/rows/0/n", json!(10_001), |fault| matches!(fault, Fault::Count { .. })),
        ("/adaptive/found/clean/value", json!(7), |fault| matches!(fault, Fault::Number { .. })),
        ("/degradations/found/0/accuracy/high", json!(7), |fault| {
            matches!(fault, Fault::Number { .. })
        }),
        ("/generators/found/0/fake", json!(0.1), |fault| matches!(fault, Fault::Disagree { .. })),
        ("/generators/found/0/auc", json!(1.1), |fault| matches!(fault, Fault::Number { .. })),
    ];
    for (pointer, value, is_it) in wrong {
        let found = fault(pointer, value.clone());
        assert!(found.as_ref().is_some_and(is_it), "{pointer}: {found:?}");
    }
}

#[test]
fn a_list_without_end_is_refused() {
    let row = with_all_parts(row("a", 0.75));
    for (pointer, place) in [
        ("static/found/rows", "static.rows"),
        ("degradations/found", "degradations"),
        ("generators/found", "generators"),
    ] {
        let json = serde_json::to_value(&row).expect("plain data");
        let pointer = format!("/{pointer}");
        let entry = json.pointer(&pointer).and_then(|list| list.get(0)).expect("an entry");
        let found = fault(&pointer, Value::Array(vec![entry.clone(); MAX_ENTRIES + 1]));
        let expected = Fault::Entries { field: place.to_owned(), n: MAX_ENTRIES + 1 };
        assert_eq!(found, Some(expected));
    }
}
