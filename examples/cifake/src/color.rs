//! The color of answers in a terminal.

use std::borrow::Cow;
use std::io::{IsTerminal, stdout};

use clap::ColorChoice;

/// Whether standard output is to be colored. [`ColorChoice::Auto`] colors a terminal, unless NO_COLOR is set
/// (<https://no-color.org>) or the terminal is called dumb.
pub(crate) fn is_wanted(choice: ColorChoice) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = || std::env::var_os("TERM").is_some_and(|name| name == "dumb");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb(),
    }
}

/// A row of a table with its answer in color: REAL green, FAKE red, UNSURE yellow, ERROR magenta.
pub(crate) fn row(line: &str) -> Cow<'_, str> {
    let answers = [("REAL", 32), ("FAKE", 31), ("UNSURE", 33), ("ERROR", 35)];
    let found = answers.into_iter().find(|(answer, _)| line.split(' ').next() == Some(answer));
    match found {
        None => line.into(),
        Some((answer, code)) => {
            format!("\u{1b}[{code}m{answer}\u{1b}[0m{}", &line[answer.len()..]).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_alone_is_colored() {
        assert_eq!(row("FAKE    98.8 %  FAKE.png"), "\u{1b}[31mFAKE\u{1b}[0m    98.8 %  FAKE.png");
        assert_eq!(row("UNSURE  50.0 %"), "\u{1b}[33mUNSURE\u{1b}[0m  50.0 %");
        for plain in ["", "ANSWER  P(FAKE)", "FAKER"] {
            assert_eq!(row(plain), plain);
        }
    }

    #[test]
    fn a_choice_that_was_made_counts_everywhere() {
        assert!(is_wanted(ColorChoice::Always));
        assert!(!is_wanted(ColorChoice::Never));
    }
}
