//! JSON as `json.dumps` of Python writes it, which is what models were trained on.

use std::fmt::{self, Write};

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

use super::bounds::refused;
use super::meter::Bounded;

/// Spaces that JSON is indented by.
const MAX_INDENT: usize = 16;
/// Lists and tables inside each other, at most.
const MAX_DEPTH: usize = 64;

/// The layout of the text.
struct Style {
    indent: Option<String>,
    between: String,
    behind_key: String,
    ensure_ascii: bool,
    sort_keys: bool,
}

/// transformers' filter `tojson`: `json.dumps` with `ensure_ascii=False`.
pub(super) fn to_json(value: Value, arguments: Kwargs) -> Result<String, Error> {
    let style = Style::new(&arguments)?;
    arguments.assert_all_used()?;
    let mut out = Bounded::default();
    style.write(&value, &mut out, 0)?;
    Ok(out.into_text())
}

impl Style {
    fn new(arguments: &Kwargs) -> Result<Self, Error> {
        let indent: Option<Value> = arguments.get("indent")?;
        let indent = match indent.filter(|indent| !indent.is_none()) {
            None => None,
            Some(indent) => Some(indentation(&indent)?),
        };
        let separators: Option<Value> = arguments.get("separators")?;
        let (between, behind_key) = match separators.filter(|pair| !pair.is_none()) {
            Some(pair) => {
                let text = |at| Some(pair.get_item_by_index(at).ok()?.as_str()?.to_owned());
                text(0).zip(text(1)).ok_or_else(|| refused("separators that are no two texts"))?
            }
            None if indent.is_some() => (",".to_owned(), ": ".to_owned()),
            None => (", ".to_owned(), ": ".to_owned()),
        };
        let flag = |name| arguments.get::<Option<bool>>(name).map(Option::unwrap_or_default);
        let (ensure_ascii, sort_keys) = (flag("ensure_ascii")?, flag("sort_keys")?);
        Ok(Self { indent, between, behind_key, ensure_ascii, sort_keys })
    }

    fn write(&self, value: &Value, out: &mut Bounded, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(refused(format!("JSON of more than {MAX_DEPTH} levels")));
        }
        let too_long = |_: fmt::Error| refused("JSON that is too long");
        match value.kind() {
            ValueKind::None => out.write_str("null"),
            ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.write_str(&number(value)),
            ValueKind::String => {
                return self.text(value.as_str().unwrap_or_default(), out).map_err(too_long);
            }
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?.map(|item| (None, item));
                return self.items(items, ['[', ']'], out, depth);
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort();
                }
                let pairs = keys.into_iter().map(|key| {
                    let item = value.get_item(&key).unwrap_or_default();
                    (Some(key), item)
                });
                return self.items(pairs, ['{', '}'], out, depth);
            }
            kind => return Err(refused(format!("a value of the type {kind} has no JSON form"))),
        }
        .map_err(too_long)
    }

    fn items(
        &self,
        items: impl Iterator<Item = (Option<Value>, Value)>,
        [open, close]: [char; 2],
        out: &mut Bounded,
        depth: usize,
    ) -> Result<(), Error> {
        let too_long = |_: fmt::Error| refused("JSON that is too long");
        let line = |out: &mut Bounded, depth: usize| match &self.indent {
            Some(indent) => {
                out.write_char('\n')?;
                (0..depth).try_for_each(|_| out.write_str(indent))
            }
            None => Ok(()),
        };
        out.write_char(open).map_err(too_long)?;
        let mut is_empty = true;
        for (key, item) in items {
            if !is_empty {
                out.write_str(&self.between).map_err(too_long)?;
            }
            is_empty = false;
            line(out, depth + 1).map_err(too_long)?;
            if let Some(key) = key {
                let key = match key.kind() {
                    ValueKind::None => "null".to_owned(),
                    ValueKind::Number => number(&key),
                    _ => key.to_string(),
                };
                self.text(&key, out).map_err(too_long)?;
                out.write_str(&self.behind_key).map_err(too_long)?;
            }
            self.write(&item, out, depth + 1)?;
        }
        if !is_empty {
            line(out, depth).map_err(too_long)?;
        }
        out.write_char(close).map_err(too_long)
    }

    fn text(&self, text: &str, out: &mut Bounded) -> fmt::Result {
        out.write_char('"')?;
        for letter in text.chars() {
            match letter {
                '"' => out.write_str("\\\""),
                '\\' => out.write_str("\\\\"),
                '\n' => out.write_str("\\n"),
                '\r' => out.write_str("\\r"),
                '\t' => out.write_str("\\t"),
                '\u{8}' => out.write_str("\\b"),
                '\u{c}' => out.write_str("\\f"),
                ..' ' => write!(out, "\\u{:04x}", u32::from(letter)),
                '\u{7f}'.. if self.ensure_ascii => letter
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .try_for_each(|unit| write!(out, "\\u{unit:04x}")),
                _ => out.write_char(letter),
            }?;
        }
        out.write_char('"')
    }
}

/// The indentation of a level.
fn indentation(indent: &Value) -> Result<String, Error> {
    let text = match (indent.as_str(), indent.as_usize()) {
        (Some(text), _) => Some(text.to_owned()),
        (None, Some(n)) if n <= MAX_INDENT => Some(" ".repeat(n)),
        _ => None,
    };
    let text = text.filter(|text| text.len() <= MAX_INDENT);
    let shown: String = indent.to_string().chars().take(40).collect();
    text.ok_or_else(|| refused(format!("indented by {shown}, at most {MAX_INDENT} is possible")))
}

/// A number as Python's `repr` writes it.
fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let Ok(number) = f64::try_from(value.clone()) else { return value.to_string() };
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::to_json;

    fn written(source: &str) -> String {
        let mut environment = minijinja::Environment::new();
        environment.add_filter("tojson", to_json);
        let text = environment.render_str(source, ());
        text.unwrap_or_else(|error| panic!("{source}: {error}"))
    }

    #[test]
    fn values_are_written_as_by_python() {
        // `json.dumps(…, ensure_ascii=False)` of Python 3.12.
        for (value, expected) in [
            (
                "{'b': 1, 'a': [true, none, 1.0, 'é\"\\n']}",
                r#"{"b": 1, "a": [true, null, 1.0, "é\"\n"]}"#,
            ),
            ("[[], {}]", "[[], {}]"),
            ("[1e16, 0.00001, 0.0001, 1.5]", "[1e+16, 1e-05, 0.0001, 1.5]"),
            ("{1: 2, none: 3}", r#"{"1": 2, "null": 3}"#),
        ] {
            assert_eq!(written(&format!("{{{{ {value}|tojson }}}}")), expected, "{value}");
        }
        let lines = written("{{ {'b': [1, 2], 'a': {}}|tojson(indent=2) }}");
        assert_eq!(lines, "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": {}\n}");
        let sorted =
            written("{{ {'b': 1, 'a': 2}|tojson(sort_keys=true, separators=(',', ':')) }}");
        assert_eq!(sorted, r#"{"a":2,"b":1}"#);
        let ascii = written("{{ 'é😀'|tojson(ensure_ascii=true) }}");
        assert_eq!(ascii, r#""\u00e9\ud83d\ude00""#);
    }
}
