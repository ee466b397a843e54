//! Numbers of a configuration file, held to what is possible.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::error::Error;

/// An object of a configuration file.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    object: &'a Value,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(object: &'a Value) -> Self {
        Self { object }
    }

    /// The field `name`, where it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Whether the field `name` is there, be it null.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.object.get(name).is_some()
    }

    /// All fields with their names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.object.as_object().into_iter().flatten()
    }

    /// Whether there is no field.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    /// The object `name`, where there is one.
    pub(crate) fn object(&self, name: &str) -> Option<Fields<'a>> {
        self.get(name).filter(|value| value.is_object()).map(Fields::new)
    }

    /// The whole number `name` within `range`, or `default` where it is absent.
    pub(crate) fn size(
        &self,
        name: &str,
        default: Option<usize>,
        range: RangeInclusive<usize>,
    ) -> Result<usize, Error> {
        let wrong = |found: String| wrong(name, found, format!("a whole number in {range:?}"));
        let Some(value) = self.get(name) else {
            return default.ok_or_else(|| wrong("absent".to_owned()));
        };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.filter(|size| range.contains(size)).ok_or_else(|| wrong(value.to_string()))
    }

    /// The number `name` within `range`, or `default` where it is absent.
    pub(crate) fn number(
        &self,
        name: &str,
        default: Option<f64>,
        range: RangeInclusive<f64>,
    ) -> Result<f64, Error> {
        let wrong = |found: String| wrong(name, found, format!("a number in {range:?}"));
        let Some(value) = self.get(name) else {
            return default.ok_or_else(|| wrong("absent".to_owned()));
        };
        let number = value.as_f64().filter(|number| range.contains(number));
        number.ok_or_else(|| wrong(value.to_string()))
    }

    /// The truth of `name`, or `default` where it is absent.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let expected = || "true or false".to_owned();
        value.as_bool().ok_or_else(|| wrong(name, value.to_string(), expected()))
    }

    /// Fails where `name` is there and none of `known`.
    pub(crate) fn one_of(&self, name: &str, known: &[&str]) -> Result<(), Error> {
        match self.get(name) {
            Some(value) if !value.as_str().is_some_and(|text| known.contains(&text)) => {
                Err(wrong(name, value.to_string(), format!("one of {known:?}")))
            }
            _ => Ok(()),
        }
    }
}

/// The error of the field `name`.
pub(crate) fn wrong(name: &str, found: String, expected: String) -> Error {
    Error::Config { field: name.to_owned(), found, expected }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let value = json!({"a": 3, "b": -1, "c": 1e30, "d": "x", "e": null, "f": 0.5});
        let fields = Fields::new(&value);
        assert_eq!(fields.size("a", None, 1..=3).expect("3 is allowed"), 3);
        assert_eq!(fields.size("e", Some(7), 1..=3).expect("null is absent"), 7);
        assert_eq!(fields.number("f", None, 0.0..=1.0).expect("0.5 is allowed"), 0.5);
        for name in ["b", "c", "d", "e", "f"] {
            assert!(fields.size(name, None, 0..=10).is_err(), "{name}");
        }
        assert!(fields.flag("a", true).is_err());
        assert!(fields.one_of("d", &["y"]).is_err());
    }
}
