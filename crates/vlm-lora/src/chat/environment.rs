//! The sandbox of chat templates, which are untrusted programs.

use std::fmt::Write;
use std::sync::Arc;

use minijinja::value::{Rest, ValueKind};
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};

use super::bounds::{MAX_TEXT_BYTES, refused};
use super::guard::{KEEP, READ, WROTE};
use super::json::to_json;
use super::meter::{Bounded, Meter};

/// Steps of a template, at most: one of 100 messages takes some ten thousand.
const FUEL: u64 = 500_000;
/// The largest width and precision of a formatted value.
const MAX_WIDTH: usize = 1000;

/// The environment that transformers' templates expect. Blocks swallow their line breaks, strings
/// and lists have Python's methods, and a template can refuse.
pub(super) fn environment(meter: Meter) -> Environment<'static> {
    let meter = Arc::new(meter);
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    add_meter(&mut environment, &meter);
    environment.set_unknown_method_callback(move |state, value, method, arguments| {
        meter.read(value)?;
        match (method, arguments) {
            ("replace", [from, to, ..]) => {
                check_replaced(value.as_str(), from.as_str(), to.as_str())?;
            }
            ("join", [list, ..]) => check_joined(list, value.as_str().unwrap_or_default())?,
            ("format", arguments) => check_format(value, arguments)?,
            _ => {}
        }
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
    });
    // These reserve as much memory as a number in the template says, or write out all that there is.
    for filter in ["batch", "slice", "indent", "pprint"] {
        environment.remove_filter(filter);
    }
    environment.remove_global("debug");
    environment.add_filter("format", |value: Value, arguments: Rest<Value>| {
        check_format(&value, &arguments)?;
        let text = value.as_str().ok_or_else(|| refused("a format that is no text"))?;
        minijinja::format_filter(minijinja::FormatStyle::Printf, text, &arguments)
    });
    environment.add_filter("join", |list: Value, between: Option<String>| {
        let between = between.unwrap_or_default();
        check_joined(&list, &between)?;
        let texts: Vec<String> = list.try_iter()?.map(|item| item.to_string()).collect();
        Ok::<_, Error>(texts.join(&between))
    });
    environment.add_filter("replace", |text: String, from: String, to: String| {
        check_replaced(Some(&text), Some(&from), Some(&to))?;
        Ok::<_, Error>(text.replace(&from, &to))
    });
    environment.add_filter("tojson", to_json);
    environment.add_function("raise_exception", |reason: String| Err::<String, _>(refused(reason)));
    environment
}

/// Every value that is read and kept passes `meter`, and the text that is written out is bounded.
fn add_meter(environment: &mut Environment<'static>, meter: &Arc<Meter>) {
    let read = Arc::clone(meter);
    environment.add_filter(READ, move |value: Value| read.read(&value).map(|()| value));
    let keep = Arc::clone(meter);
    environment.add_filter(KEEP, move |value: Value| keep.keep(&value).map(|()| value));
    let wrote = Arc::clone(meter);
    environment.add_filter(WROTE, move |n: usize| wrote.write(n).map(|()| Value::UNDEFINED));
    let written = Arc::clone(meter);
    environment.set_formatter(move |out, _, value| {
        if value.is_undefined() {
            return Ok(());
        }
        // Bounded on its own, since a block may capture it where no limit of the whole text holds.
        let mut text = Bounded::default();
        let shown = match value.kind() {
            ValueKind::None => text.write_str("None"),
            ValueKind::Bool => text.write_str(if value.is_true() { "True" } else { "False" }),
            _ => write!(text, "{value}"),
        };
        shown.map_err(|_| refused("a value of it is too long"))?;
        let text = text.into_text();
        written.write(text.len())?;
        out.write_str(&text).map_err(Error::from)
    });
}

/// Refuses a replacement that would make a text too long; where one of the three is no text, the method
/// itself says so.
fn check_replaced(text: Option<&str>, from: Option<&str>, to: Option<&str>) -> Result<(), Error> {
    let (Some(text), Some(from), Some(to)) = (text, from, to) else { return Ok(()) };
    let grown = text.matches(from).count().saturating_mul(to.len()).saturating_add(text.len());
    match grown <= MAX_TEXT_BYTES {
        true => Ok(()),
        false => Err(refused(format!("a text of up to {grown} bytes is too long"))),
    }
}

/// Refuses to join a list into a text that is too long.
fn check_joined(list: &Value, between: &str) -> Result<(), Error> {
    let mut len = 0usize;
    for item in list.try_iter()? {
        let own = item.as_str().map_or(MAX_WIDTH, str::len);
        len = len.saturating_add(own).saturating_add(between.len());
        if len > MAX_TEXT_BYTES {
            return Err(refused("a joined text is too long"));
        }
    }
    Ok(())
}

/// Refuses a format with a width that could fill any memory, or that an argument says.
fn check_format(format: &Value, arguments: &[Value]) -> Result<(), Error> {
    let Some(format) = format.as_str() else { return Ok(()) };
    let mut digits = 0usize;
    for letter in format.chars() {
        digits = match letter.to_digit(10) {
            Some(digit) => digits.saturating_mul(10).saturating_add(digit as usize),
            None => 0,
        };
        if digits > MAX_WIDTH {
            return Err(refused(format!("a width of more than {MAX_WIDTH}")));
        }
    }
    // A brace inside of a field, or a star, takes the width from an argument.
    let nested = format.split('{').any(|part| part.contains(':') && !part.contains('}'));
    if format.contains('*') || nested {
        return Err(refused("a width that an argument says"));
    }
    let longest = arguments.iter().map(|value| value.as_str().map_or(MAX_WIDTH, str::len)).max();
    let n_fields = format.matches(['{', '%']).count();
    let own = longest.unwrap_or_default().max(MAX_WIDTH);
    match n_fields.saturating_mul(own).saturating_add(format.len()) <= MAX_TEXT_BYTES {
        true => Ok(()),
        false => Err(refused("a formatted text is too long")),
    }
}
