//! Rules about one source file.

use super::source::Line;
use super::tree::{Text, Violation};

const MAX_LINES: usize = 400;

/// Functions of numbers: what a program computes with them belongs into a library, where it is tested.
const NUMERICS: &[&str] = &[
    ".sqrt()",
    ".exp()",
    ".ln()",
    ".log2()",
    ".log10()",
    ".powi(",
    ".powf(",
    ".powf_scalar(",
    ".sin()",
    ".cos()",
    ".tanh()",
    ".matmul(",
];

/// The largest distance of an `unsafe` from the start of its reason, in lines.
const REASON_LINES: usize = 12;

/// The calls that a library may not make outside its tests, and their names here.
const BANNED: &[(&str, &str)] = &[
    (".unwrap()", "unwraps"),
    ("println!", "prints"),
    ("eprintln!", "prints"),
    ("print!", "prints"),
    ("eprint!", "prints"),
    ("dbg!", "prints"),
    ("todo!", "is unfinished"),
    ("unimplemented!", "is unfinished"),
    ("process::exit", "exits the host's process"),
    ("env::var", "reads the environment"),
    ("env::set_var", "changes the environment"),
];

/// A file of more than 400 lines that is not generated.
pub(crate) fn length(text: &Text) -> Option<Violation> {
    let generated = text.text.lines().next().is_some_and(|first| first.contains("@generated"));
    let count = text.text.lines().count();
    let what = || Violation::new(at(text, MAX_LINES), format!("the file has {count} lines"));
    (count > MAX_LINES && !generated).then(what)
}

/// Numerics in a source file of an example, outside its tests.
pub(crate) fn numerics(text: &Text) -> Vec<Violation> {
    if !text.path.starts_with("examples/") || !text.path.contains("/src/") {
        return Vec::new();
    }
    let function = |line: &Line| NUMERICS.iter().find(|name| !line.test && line.calls(name));
    each(
        text,
        |line| function(line).is_some(),
        |line| format!("computes with `{}`", function(line).unwrap_or(&"")),
    )
}

/// Tests that would be skipped.
pub(crate) fn ignored(text: &Text) -> Vec<Violation> {
    let skips = |line: &Line| {
        let attribute = line.code.trim_start().starts_with("#[");
        line.code.contains("#[ignore") || (attribute && line.calls("ignore)"))
    };
    each(text, skips, |_| "the test is ignored".to_owned())
}

/// Calls that a library may not make.
pub(crate) fn library_calls(text: &Text) -> Vec<Violation> {
    if text.path.ends_with("/tests.rs") || text.path.contains("/tests/") {
        return Vec::new();
    }
    let banned = |line: &Line| BANNED.iter().find(|(call, _)| !line.test && line.calls(call));
    each(
        text,
        |line| banned(line).is_some(),
        |line| {
            let (call, what) = banned(line).expect("only lines with a banned call are described");
            format!("`{call}` {what}")
        },
    )
}

/// `unsafe` without a `SAFETY:` comment (or a `# Safety` section) directly above or beside it. A
/// function in the implementation of a trait has the trait's contract.
pub(crate) fn unsafe_without_reason(text: &Text) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in text.lines.iter().enumerate().filter(|(_, line)| is_unsafe(line)) {
        let pointer_type = line.code.contains("unsafe fn(");
        let above = &text.lines[..=index];
        if !pointer_type && !implements_trait(above) && !has_reason(above) {
            found.push(Violation::new(at(text, index), "`unsafe` without a SAFETY comment"));
        }
    }
    found
}

/// True if the last line declares a function directly inside an `impl Trait for Type`.
fn implements_trait(lines: &[Line]) -> bool {
    let indent = |line: &Line| line.code.len() - line.code.trim_start().len();
    let mut upward = lines.iter().rev().filter(|line| !line.code.trim().is_empty());
    let Some(own) = upward.next().filter(|line| line.code.contains("unsafe fn ")) else {
        return false;
    };
    let around = upward.find(|line| indent(line) < indent(own));
    around.is_some_and(|line| line.code.contains("impl") && line.code.contains(" for "))
}

fn is_unsafe(line: &Line) -> bool {
    let mut names = line.code.split(|c: char| !c.is_alphanumeric() && c != '_');
    names.any(|name| name == "unsafe")
}

/// Looks upward from the last line until the statement or the block before it ends.
fn has_reason(lines: &[Line]) -> bool {
    let says = |line: &Line| line.comment.contains("SAFETY:") || line.comment.contains("# Safety");
    let mut upward = lines.iter().rev();
    if upward.next().is_some_and(says) {
        return true;
    }
    let connected = |line: &&Line| {
        let code = line.code.trim();
        let empty = code.is_empty() && line.comment.is_empty();
        !empty && !code.ends_with(';') && !code.ends_with('}')
    };
    upward.take(REASON_LINES).take_while(connected).any(says)
}

/// A lib.rs without a module doc.
pub(crate) fn manual(text: &Text) -> Option<Violation> {
    let documented = text.text.lines().any(|line| line.starts_with("//!"));
    (!documented).then(|| Violation::new(at(text, 0), "no crate documentation"))
}

fn each(
    text: &Text,
    broken: impl Fn(&Line) -> bool,
    what: impl Fn(&Line) -> String,
) -> Vec<Violation> {
    let lines = text.lines.iter().enumerate().filter(|(_, line)| broken(line));
    lines.map(|(index, line)| Violation::new(at(text, index), what(line))).collect()
}

fn at(text: &Text, index: usize) -> String {
    format!("{}:{}", text.path, index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(source: &str) -> Text {
        Text::new("crates/cifake/src/a.rs", source)
    }

    fn places(violations: Vec<Violation>) -> Vec<String> {
        violations.into_iter().map(|violation| violation.place).collect()
    }

    #[test]
    fn a_long_file_is_named_at_its_limit() {
        assert_eq!(length(&library(&"a\n".repeat(400))), None);
        let found = length(&library(&"a\n".repeat(401))).expect("401 lines are too many");
        assert_eq!(found.place, "crates/cifake/src/a.rs:401");
    }

    #[test]
    fn a_generated_file_may_be_long() {
        assert_eq!(length(&library(&format!("// @generated\n{}", "a\n".repeat(500)))), None);
    }

    #[test]
    fn numerics_of_a_program_are_found() {
        let source =
            "let a = b.sqrt();\n// c.exp()\n#[cfg(test)]\nmod tests { fn d() { e.exp(); } }";
        let found = numerics(&Text::new("examples/lab/src/bin/a.rs", source));
        assert_eq!(places(found), ["examples/lab/src/bin/a.rs:1"]);
        assert_eq!(numerics(&library(source)), []);
        assert_eq!(numerics(&Text::new("examples/lab/tests/a.rs", source)), []);
    }

    #[test]
    fn ignored_tests_are_found_and_other_words_are_not() {
        let found = ignored(&library("#[ignore = \"slow\"]\nfn a() {}\n#[cfg_attr(x, ignore)]"));
        assert_eq!(places(found), ["crates/cifake/src/a.rs:1", "crates/cifake/src/a.rs:3"]);
        assert_eq!(ignored(&library("// #[ignore]\nlet ignore = (1);")), []);
    }

    #[test]
    fn a_library_may_not_unwrap_print_exit_or_read_the_environment() {
        let source =
            "a.unwrap();\neprintln!(\"b\");\nstd::process::exit(1);\nstd::env::var(\"c\");";
        let found = library_calls(&library(source));
        let whats: Vec<&str> = found.iter().map(|violation| violation.what.as_str()).collect();
        assert_eq!(
            whats,
            [
                "`.unwrap()` unwraps",
                "`eprintln!` prints",
                "`process::exit` exits the host's process",
                "`env::var` reads the environment"
            ]
        );
    }

    #[test]
    fn docs_strings_and_tests_may_say_what_a_library_may_not_do() {
        let source = "/// a.unwrap()\nf(\"println!\");\na.unwrap_or(1);\n\
                      #[cfg(test)]\nmod tests { fn a() { b.unwrap(); } }";
        assert_eq!(library_calls(&library(source)), []);
        assert_eq!(library_calls(&Text::new("crates/a/src/b/tests.rs", "a.unwrap();")), []);
    }

    #[test]
    fn unsafe_needs_a_reason() {
        let bare = "fn a() {\n    unsafe { b() }\n}";
        assert_eq!(places(unsafe_without_reason(&library(bare))), ["crates/cifake/src/a.rs:2"]);
        let earlier = "// SAFETY: for another\nunsafe { b() };\nlet c = 1;\nunsafe { d() };";
        assert_eq!(places(unsafe_without_reason(&library(earlier))), ["crates/cifake/src/a.rs:4"]);
    }

    #[test]
    fn a_reason_may_stand_above_the_statement_or_in_the_documentation() {
        let statement =
            "// SAFETY: `b` is long enough,\n// and aligned.\nlet c =\n    unsafe { b() };";
        assert_eq!(unsafe_without_reason(&library(statement)), []);
        let documented = "/// # Safety\n/// `b` is aligned.\n#[inline]\npub unsafe fn a() {}";
        assert_eq!(unsafe_without_reason(&library(documented)), []);
        assert_eq!(unsafe_without_reason(&library("#![forbid(unsafe_code)]")), []);
    }

    #[test]
    fn a_function_of_a_trait_states_its_contract_once() {
        let implementation = "impl Tile for Plain {\n    unsafe fn run() {}\n}";
        assert_eq!(unsafe_without_reason(&library(implementation)), []);
        let inherent = "impl Plain {\n    unsafe fn run() {}\n}";
        assert_eq!(places(unsafe_without_reason(&library(inherent))), ["crates/cifake/src/a.rs:2"]);
    }

    #[test]
    fn a_crate_without_a_manual_is_found() {
        assert_eq!(manual(&library("//! A crate.\nmod a;")), None);
        assert!(manual(&library("mod a;")).is_some());
    }
}
