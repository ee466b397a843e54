//! The color of answers in a terminal.

use std::borrow::Cow;
use std::io::{IsTerminal, stdout};

use clap::ColorChoice;

/// The answers, each with its color in the codes of terminals: green, red, yellow, magenta.
const ANSWERS: [(&str, u8); 4] = [("REAL", 32), ("FAKE", 31), ("UNSURE", 33), ("ERROR", 35)];

/// Whether answers are colored.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ColorArgs {
    /// Color of the answers; auto colors a terminal where NO_COLOR is not set.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

/// Colors the answers in a text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    is_wanted: bool,
}

impl ColorArgs {
    /// The paint for standard output. [`ColorChoice::Auto`] colors a terminal, unless NO_COLOR is set
    /// (<https://no-color.org>) or the terminal is called dumb.
    pub(crate) fn paint(self) -> Paint {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = || std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        let is_wanted = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb(),
        };
        Paint { is_wanted }
    }
}

impl Paint {
    /// `text` with the answer in color at the beginning of each line. Names of files, which may contain
    /// answers, keep their color elsewhere.
    pub(crate) fn verdicts(self, text: &str) -> Cow<'_, str> {
        if !self.is_wanted {
            return text.into();
        }
        text.split_inclusive('\n').map(verdict).collect::<String>().into()
    }

    /// `table` with each answer in color, in rows and in headings.
    pub(crate) fn table(self, table: &str) -> Cow<'_, str> {
        if !self.is_wanted {
            return table.into();
        }
        let is_end = |c: char| !c.is_alphanumeric();
        table.split_inclusive(is_end).map(verdict).collect::<String>().into()
    }
}

/// `text` with the answer in color that it begins with, if that is a word of its own.
fn verdict(text: &str) -> Cow<'_, str> {
    let word = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    match ANSWERS.into_iter().find(|(answer, _)| *answer == word) {
        None => text.into(),
        Some((_, code)) => format!("\u{1b}[{code}m{word}\u{1b}[0m{}", &text[word.len()..]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAINT: Paint = Paint { is_wanted: true };

    #[test]
    fn an_answer_is_colored_where_a_line_begins() {
        let painted = [
            ("FAKE    98.8 %  FAKE.png", "\u{1b}[31mFAKE\u{1b}[0m    98.8 %  FAKE.png"),
            ("UNSURE  50.0 %", "\u{1b}[33mUNSURE\u{1b}[0m  50.0 %"),
            ("REAL: a.png\n1  REAL\n", "\u{1b}[32mREAL\u{1b}[0m: a.png\n1  REAL\n"),
        ];
        for (plain, colored) in painted {
            assert_eq!(PAINT.verdicts(plain), colored);
            assert_eq!(Paint { is_wanted: false }.verdicts(plain), plain);
        }
        for plain in ["", "ANSWER  P(FAKE)", "FAKER"] {
            assert_eq!(PAINT.verdicts(plain), plain);
        }
    }

    #[test]
    fn every_answer_of_a_table_is_colored() {
        let (plain, colored) = (
            "n  on REAL  FAKER\n-  é FAKE",
            "n  on \u{1b}[32mREAL\u{1b}[0m  FAKER\n-  é \u{1b}[31mFAKE\u{1b}[0m",
        );
        assert_eq!(PAINT.table(plain), colored);
        assert_eq!(Paint { is_wanted: false }.table(plain), plain);
    }

    #[test]
    fn a_choice_that_was_made_counts_everywhere() {
        let is_wanted = |color| ColorArgs { color }.paint().is_wanted;
        assert!(is_wanted(ColorChoice::Always));
        assert!(!is_wanted(ColorChoice::Never));
    }
}
