//! Names and lenient JSON, which the sources of generators share.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// `program, model NAME (HASH)` with what is known of it.
pub(super) fn by(program: &str, model: Option<&str>, hash: Option<&str>) -> String {
    let mut by = program.to_owned();
    if let Some(model) = model {
        by.push_str(", model ");
        by.push_str(model);
    }
    if let Some(hash) = hash {
        by.push_str(" (");
        by.push_str(hash);
        by.push(')');
    }
    by
}

/// A JSON object of the form `T` at the beginning of `text`. Python writes `NaN`, which is no JSON.
pub(super) fn object<T: DeserializeOwned>(text: &str) -> Option<T> {
    let text = text.trim();
    if !text.starts_with('{') {
        return None;
    }
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let plain = text.contains("NaN").then(|| text.replace("NaN", "null"))?;
    serde_json::from_str(&plain).ok()
}

/// A text, where JSON holds one; every other value is skipped without being kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Maybe(pub(super) Option<String>);

impl Maybe {
    pub(super) fn text(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for Maybe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MaybeVisitor)
    }
}

struct MaybeVisitor;

impl<'de> Visitor<'de> for MaybeVisitor {
    type Value = Maybe;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Maybe, E> {
        Ok(Maybe(Some(text.to_owned())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Maybe, E> {
        Ok(Maybe(Some(value.to_string())))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Maybe, E> {
        Ok(Maybe(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Maybe, E> {
        Ok(Maybe(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Maybe, E> {
        Ok(Maybe(None))
    }

    fn visit_unit<E>(self) -> Result<Maybe, E> {
        Ok(Maybe(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Maybe, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Maybe(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Maybe, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Maybe(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Form {
        #[serde(default)]
        a: Maybe,
    }

    #[test]
    fn a_text_is_read_and_other_values_are_skipped() {
        let text = |json: &str| object::<Form>(json).map(|form| form.a.text().map(str::to_owned));
        assert_eq!(text(r#" {"a": "b", "c": [1, {"d": null}]}"#), Some(Some("b".to_owned())));
        for other in ["[1, [2]]", "{\"b\": {}}", "null", "true", "-1", "1.5", "NaN", "\" \""] {
            assert_eq!(text(&format!("{{\"a\": {other}}}")), Some(None), "{other}");
        }
        assert_eq!(text(r#"["a"]"#), None);
        assert_eq!(text(&format!("{{\"a\": {}", "[".repeat(100_000))), None);
    }

    #[test]
    fn a_name_holds_what_is_known() {
        assert_eq!(by("A", None, None), "A");
        assert_eq!(by("A", Some("m"), Some("1f")), "A, model m (1f)");
    }
}
