//! The first field in which two configurations differ.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 40;

/// A field that two configurations hold with different values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Path of the field, with dots: `augment.flip`.
    pub field: String,
    /// Its earlier value as JSON, cut to 40 characters.
    pub before: String,
    /// Its present value as JSON, cut to 40 characters.
    pub now: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, before, now } = self;
        match field.is_empty() {
            true => write!(f, "{before} before, {now} now"),
            false => write!(f, "`{field}` was {before} and is {now}"),
        }
    }
}

/// The first field, in the order of their names, whose values differ between `before` and `now`;
/// `None` where all are equal.
///
/// ```
/// let [before, now] = [[("epochs", 2)], [("epochs", 4)]].map(std::collections::BTreeMap::from);
/// let found = cifake_optim::first_difference(&before, &now).expect("they differ");
/// assert_eq!(found.to_string(), "`epochs` was 2 and is 4");
/// ```
///
/// # Panics
///
/// If a configuration has no JSON form.
#[must_use]
pub fn first_difference(before: &impl Serialize, now: &impl Serialize) -> Option<Difference> {
    let before = serde_json::to_value(before).expect("a configuration has a JSON form");
    let now = serde_json::to_value(now).expect("a configuration has a JSON form");
    find(&before, &now, String::new())
}

fn find(before: &Value, now: &Value, field: String) -> Option<Difference> {
    let inner = |name: &str| match field.is_empty() {
        true => name.to_owned(),
        false => format!("{field}.{name}"),
    };
    match (before, now) {
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            let of = |map: &serde_json::Map<String, Value>, name: &str| {
                map.get(name).cloned().unwrap_or(Value::Null)
            };
            names.into_iter().find_map(|name| find(&of(old, name), &of(new, name), inner(name)))
        }
        _ if before == now => None,
        _ => Some(Difference { before: shown(before), now: shown(now), field }),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_field_is_named_and_long_values_are_cut() {
        let before = json!({"a": 1, "b": {"c": [1, 2], "d": "x"}, "e": "é".repeat(99)});
        assert_eq!(first_difference(&before, &before), None);
        let text = |now: Value| first_difference(&before, &now).expect("they differ").to_string();
        let mut now = before.clone();
        now["e"] = json!("f");
        assert!(text(now.clone()).chars().count() < 90);
        now["b"]["c"] = json!([1, 3]);
        assert_eq!(text(now.clone()), "`b.c` was [1,2] and is [1,3]");
        now.as_object_mut().expect("it is one").remove("a");
        assert_eq!(text(now), "`a` was 1 and is null");
        assert_eq!(text(json!(3)).split(' ').next_back(), Some("now"));
    }
}
