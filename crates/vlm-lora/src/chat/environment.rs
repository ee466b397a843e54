//! What a template can do, and what it may not: it is a program that nobody vouches for.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::MAX_TEXT_BYTES;

/// Steps of a template, at most: one of 100 messages takes a few thousand.
const FUEL: u64 = 2_000_000;
/// Spaces that JSON is indented by.
const MAX_INDENT: usize = 16;

/// What transformers' templates expect: blocks that swallow their line breaks, methods of Python's
/// strings and lists, and a way to refuse.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    environment.set_unknown_method_callback(|state, value, method, arguments| {
        if let ("replace", [from, to, ..]) = (method, arguments) {
            check_replaced(value.as_str(), from.as_str(), to.as_str())?;
        }
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
    });
    // These reserve as much memory as a number in the template says.
    for filter in ["batch", "slice", "indent"] {
        environment.remove_filter(filter);
    }
    environment.add_filter("replace", |text: String, from: String, to: String| {
        check_replaced(Some(&text), Some(&from), Some(&to))?;
        Ok::<_, minijinja::Error>(text.replace(&from, &to))
    });
    environment.add_filter("tojson", to_json);
    environment.add_function("raise_exception", |reason: String| Err::<String, _>(refused(reason)));
    environment
}

/// What a template may not do, or says that it cannot.
pub(super) fn refused(reason: String) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, reason)
}

/// Whether a template multiplies anywhere: a list times a number is as long as the number says, and is
/// written out by whatever looks at all of it.
pub(super) fn multiplies(source: &str) -> bool {
    let mut rest = source;
    while let Some((_, behind)) = rest.split_once('{') {
        rest = behind;
        if let Some(comment) = rest.strip_prefix('#') {
            rest = comment.split_once("#}").map_or("", |(_, behind)| behind);
        } else if let Some(code) = rest.strip_prefix(['{', '%']) {
            let (has_star, end) = star_and_end(code);
            if has_star {
                return true;
            }
            let tag = code[..end].trim_end_matches(['%', '}']);
            let is_raw = tag.trim_matches(['-', '+', ' ', '\n', '\t', '\r']) == "raw";
            rest = if is_raw { behind_raw(&code[end..]) } else { &code[end..] };
        }
    }
    false
}

/// Whether a star stands in `code` outside of a text, and where the code ends: as in the language, no
/// sign ends it inside of brackets.
fn star_and_end(code: &str) -> (bool, usize) {
    let (mut depth, mut quote, mut previous) = (0usize, None, ' ');
    let mut letters = code.char_indices();
    while let Some((at, letter)) = letters.next() {
        match quote {
            Some(_) if letter == '\\' => _ = letters.next(),
            Some(open) => quote = Some(open).filter(|open| *open != letter),
            None => match letter {
                '*' => return (true, at),
                '"' | '\'' => quote = Some(letter),
                '(' | '[' | '{' => depth += 1,
                '}' if depth == 0 && matches!(previous, '}' | '%') => return (false, at + 1),
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
        previous = letter;
    }
    (false, code.len())
}

/// What follows the text of a raw block.
fn behind_raw(text: &str) -> &str {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("{%") {
        rest = behind.trim_start_matches(['-', '+']).trim_start();
        if let Some(behind) = rest.strip_prefix("endraw") {
            return behind;
        }
    }
    ""
}

/// Refuses a replacement that would make a text too long; where one of the three is no text, the method
/// itself says so.
fn check_replaced(
    text: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(), minijinja::Error> {
    let (Some(text), Some(from), Some(to)) = (text, from, to) else { return Ok(()) };
    let grown = text.matches(from).count().saturating_mul(to.len()).saturating_add(text.len());
    match grown <= MAX_TEXT_BYTES {
        true => Ok(()),
        false => Err(refused(format!("a text of up to {grown} bytes is too long"))),
    }
}

/// JSON as Python writes it: on one line, or indented by at most 16.
fn to_json(
    value: minijinja::Value,
    arguments: minijinja::value::Kwargs,
) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = arguments.get("indent")?;
    let text = match indent {
        None => serde_json::to_string(&value),
        Some(n @ 0..=MAX_INDENT) => {
            let indentation = " ".repeat(n);
            let form = serde_json::ser::PrettyFormatter::with_indent(indentation.as_bytes());
            let mut bytes = Vec::new();
            let mut writer = serde_json::Serializer::with_formatter(&mut bytes, form);
            let written = serde::Serialize::serialize(&value, &mut writer);
            written.map(|()| String::from_utf8_lossy(&bytes).into_owned())
        }
        Some(n) => {
            return Err(refused(format!("indented by {n}, at most {MAX_INDENT} is possible")));
        }
    };
    text.map_err(|error| refused(error.to_string()))
}
