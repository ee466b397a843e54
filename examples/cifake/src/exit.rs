//! How a program ends.

use std::io::ErrorKind;
use std::process::ExitCode;

/// 0 if nothing failed, 1 if some inputs did, 2 where the program could not do its work; the reason
/// is said on standard error. A reader that has seen enough, such as `head`, is no failure.
#[must_use]
pub fn exit_code(outcome: anyhow::Result<usize>) -> ExitCode {
    match outcome {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let io = error.root_cause().downcast_ref::<std::io::Error>();
            if io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
                return ExitCode::SUCCESS;
            }
            eprintln!("error: {}", in_words(&error));
            ExitCode::from(2)
        }
    }
}

/// An error with its causes, each once: the libraries' errors name their causes themselves.
#[must_use]
pub fn in_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// `text` on one line, with escapes for characters that steer a terminal or cannot be seen.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                line.extend(c.escape_default());
            }
            _ if cifake::is_invisible(c) => line.extend(c.escape_unicode()),
            _ => line.push(c),
        }
    }
    line
}
