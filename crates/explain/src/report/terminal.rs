//! Reports as plain text for a terminal.

use std::fmt;

use gradcam::Region;

use super::content::Report;
use super::number::{significant, standing};
use crate::Finding;
use crate::plain::line;

/// Columns of [`Display`](std::fmt::Display).
const WIDTH: usize = 80;
/// Fewest columns: the longest name of an artifact and the table fit.
pub(super) const MIN_WIDTH: usize = 64;
/// Names and widths of the table's columns before the name of the measure.
const COLUMNS: [(&str, usize); 3] = [("WHERE", 13), ("VALUE", 9), ("CAMERA PICTURES", 15)];
/// Indent of the lines below a numbered artifact.
const INDENT: &str = "   ";
/// Placeholder of an empty cell.
const NOTHING: &str = "-";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(WIDTH))
    }
}

impl Report {
    /// The report as plain text, wrapped to `width` columns or 64, whichever is more.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let width = width.max(MIN_WIDTH);
        let mut lines = self.head(width);
        lines.extend(self.artifacts(width));
        for (title, sentences) in self.lists() {
            if !sentences.is_empty() {
                lines.extend([String::new(), title.to_owned()]);
            }
            lines.extend(sentences.iter().flat_map(|text| wrapped(text, "- ", width)));
        }
        lines.push(String::new());
        lines.extend(wrapped(&format!("{}, {}", self.provenance.model, self.maker()), "", width));
        lines.join("\n")
    }

    fn head(&self, width: usize) -> Vec<String> {
        let mut lines = wrapped(&format!("{}: {}", self.answer, self.provenance.path), "", width);
        if let Some(doubt) = self.doubt() {
            lines.extend(wrapped(&format!("{doubt}."), "", width));
        }
        let from = self.threshold();
        lines.extend(wrapped(&format!("{}; FAKE from {from}.", self.sentence()), "", width));
        if !self.regions.is_empty() {
            let map = format!("{}: strongest in {}.", self.method(), self.strongest());
            lines.extend(wrapped(&map, "", width));
        }
        lines
    }

    fn artifacts(&self, width: usize) -> Vec<String> {
        let findings = &self.explanation.findings;
        if findings.is_empty() {
            return vec![String::new(), "No artifact is named.".to_owned()];
        }
        let mut lines =
            vec![String::new(), row(COLUMNS.map(|(name, _)| name.to_owned())) + "MEASURE"];
        for (finding, number) in findings.iter().zip(1..) {
            if number > 1 {
                lines.push(String::new());
            }
            lines.push(format!("{number}  {}", finding.artifact));
            let (cells, measure) = cells(finding);
            lines.extend(wrapped(&measure, &row(cells), width));
            lines.extend(wrapped(&finding.explanation, INDENT, width));
            if !finding.said_by.is_empty() {
                lines.extend(wrapped(&format!("({})", finding.said_by.join(", ")), INDENT, width));
            }
        }
        lines
    }
}

/// The cells before the name of the measure, and the name.
fn cells(finding: &Finding) -> ([String; 3], String) {
    let region = finding.region.map_or("everywhere", Region::as_str).to_owned();
    match &finding.evidence {
        Some(evidence) => {
            let (value, standing) = (significant(evidence.value), standing(evidence.percentile));
            ([region, value, standing], evidence.measure.clone())
        }
        None => ([region, NOTHING.to_owned(), NOTHING.to_owned()], "not measured".to_owned()),
    }
}

/// One line of the table up to the name of the measure. A text that is too long for its column is cut.
fn row(cells: [String; 3]) -> String {
    let mut line = INDENT.to_owned();
    for ((_, width), cell) in COLUMNS.into_iter().zip(cells) {
        let cell = if cell.chars().count() > width {
            cell.chars().take(width - 1).chain(['\u{2026}']).collect()
        } else {
            cell
        };
        line.extend([format!("{cell:<width$}"), "  ".to_owned()]);
    }
    line
}

/// The words of `text`, made plain, in lines of at most `width` characters. `bullet` stands before the
/// first line, and as much space before the others. A word longer than a line is split.
fn wrapped(text: &str, bullet: &str, width: usize) -> Vec<String> {
    let indent = bullet.chars().count();
    let room = width.saturating_sub(indent).max(1);
    let mut lines = vec![bullet.to_owned()];
    let mut used = 0;
    for word in words(&line(text)) {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(room) {
            let gap = usize::from(used > 0);
            if used + gap + piece.len() > room {
                lines.push(" ".repeat(indent));
                used = 0;
            }
            let line = lines.last_mut().expect("it began with one");
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(piece);
            used += piece.len();
        }
    }
    lines
}

/// The words of `text`, split at spaces. `99 %` is one word.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match words.last_mut() {
            Some(number) if word.starts_with('%') => number.extend([" ", word]),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_they_may_be() {
        assert_eq!(wrapped("one two three", "- ", 9), ["- one two", "  three"]);
        assert_eq!(wrapped("abcdefghij k", "", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("", "- ", 9), ["- "]);
        assert_eq!(wrapped("at 99 %.", "", 5), ["at", "99 %."]);
    }
}
