//! The rows as a Markdown document.

use std::fmt::Write;

use cifake::text::one_line;
use explain::markdown_text;

use super::row::Row;
use super::section::{Section, sections, subject, usual};
use super::table::{Cell, Table};

/// The line of a document by which it is known as one of this program.
pub(super) const MARK: &str =
    "Detectors of generated pictures, measured in one way by `cifake leaderboard`.";

/// The document of all `rows`.
pub(super) fn document(rows: &[&Row]) -> String {
    let mut text = format!("# Leaderboard\n\n{MARK}\n");
    for measured in subject(rows) {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "\n- {}", markdown_text(&measured));
    }
    for section in sections(&usual(rows)) {
        write_section(&mut text, &section);
    }
    text
}

fn write_section(text: &mut String, section: &Section) {
    let words: Vec<String> = section.words.iter().map(|words| markdown_text(words)).collect();
    let _ = writeln!(text, "\n## {}\n\n{}\n", section.title, words.join("\n"));
    write_table(text, &section.table);
}

fn write_table(text: &mut String, table: &Table) {
    let names = table.columns.iter().map(|column| markdown_text(&column.name));
    write_row(text, names);
    let rule = |is_number: bool| if is_number { "---:" } else { "---" };
    write_row(text, table.columns.iter().map(|column| rule(column.is_number).to_owned()));
    for row in &table.rows {
        write_row(text, row.iter().map(cell));
    }
}

fn write_row(text: &mut String, cells: impl Iterator<Item = String>) {
    let _ = writeln!(text, "| {} |", cells.collect::<Vec<_>>().join(" | "));
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => markdown_text(text),
        Cell::Number(text) => text.clone(),
        Cell::Code(text) => code(text),
    }
}

/// `text` as code in a cell, whatever stands in it.
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', r"\|");
    if text.trim().is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A space keeps backticks of the text apart from the fence.
    let room = if longest > 0 { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::row::tests::{hostile, row, with_all_parts, with_built};
    use crate::leaderboard::sample::PUBLISHED;

    #[test]
    fn code_stays_code_whatever_stands_in_it() {
        assert_eq!(code("a | b"), r"`a \| b`");
        assert_eq!(code("a``b"), "``` a``b ```");
        assert_eq!(code("a\n# b"), r"`a\n# b`");
        assert_eq!(code(""), "");
    }

    #[test]
    fn every_table_has_a_cell_a_column() {
        let rows = [row("native", 0.9748), with_built(row("b", 0.9), 0.75), hostile()];
        let text = document(&rows.iter().collect::<Vec<_>>());
        let mut width = None;
        for line in text.lines() {
            let is_row = line.starts_with("| ");
            // Bars that are no borders are escaped.
            let n = line.replace(r"\|", "").matches('|').count();
            match (is_row, width) {
                (true, Some(width)) => assert_eq!(n, width, "{line}"),
                (true, None) => width = Some(n),
                (false, _) => width = None,
            }
        }
        assert!(text.contains("| native | 10000 | 97.48 ["), "{text}");
        assert!(text.contains("| b | 90.00 | 75.00"), "{text}");
    }

    #[test]
    fn text_from_outside_is_no_markup() {
        let row = hostile();
        let text = document(&[&row]);
        assert!(!text.contains('\u{202e}'));
        // Code is no markup, nor is what a backslash stands before.
        let outside: String = text.split("``").step_by(2).collect();
        let outside: String = outside.split('`').step_by(2).collect();
        let outside = ["]", "*", "[", "|"]
            .iter()
            .fold(outside, |text, c| text.replace(&format!("\\{c}"), ""));
        for markup in ["<script", "<img", "](", "**bold**"] {
            assert!(!outside.contains(markup), "{markup}: {outside}");
        }
    }

    #[test]
    fn words_of_the_headings_are_explained_and_other_pictures_marked() {
        let mut few = with_all_parts(row("few", 0.99));
        few.made_of.pictures_sha256 = PUBLISHED[1].to_owned();
        few.measures.n = 2000;
        let text = document(&[&few, &with_all_parts(row("all", 0.9))]);
        for words in [
            "AUC tells",
            "AP is",
            "TPR is",
            "ECE is",
            "MMAC are",
            "p is the",
            "worse label is",
            "A doubt is",
            "drop the clean",
            "REAL % and FAKE % are",
            "commit is that",
        ] {
            assert_eq!(
                text.matches(words).count(),
                if words == "AUC tells" { 2 } else { 1 },
                "{words}: {text}"
            );
        }
        // In the tables of accuracy, McNemar's test, publications and parts.
        assert!(text.matches(r"few \*").count() >= 6, "{text}");
        assert!(!text.contains(r"all \*"), "{text}");
        let [all, few] = ["| all | 10000 |", r"| few \* | 2000 |"].map(|row| text.find(row));
        assert!(all.is_some() && all < few, "{text}");
    }
}
