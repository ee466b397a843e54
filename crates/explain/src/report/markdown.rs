//! Reports as Markdown.

use std::fmt::Write;

use gradcam::Region;

use super::content::Report;
use super::number::{significant, standing};
use crate::Finding;
use crate::plain::line;

impl Report {
    /// The report as GitHub-flavored Markdown, without pictures.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        let written = self.write_markdown(&mut page);
        written.expect("a string takes every text");
        page
    }

    fn write_markdown(&self, page: &mut String) -> std::fmt::Result {
        let (answer, sentence, from) = (self.answer, self.sentence(), self.threshold());
        let method = self.method();
        writeln!(page, "# {answer}: {}\n", markdown_text(&self.provenance.path))?;
        if let Some(doubt) = self.doubt() {
            writeln!(page, "{}.\n", markdown_text(&doubt))?;
        }
        writeln!(page, "{sentence}; FAKE from {from}.\n")?;
        if !self.regions.is_empty() {
            writeln!(page, "{method}: strongest in {}.\n", markdown_text(&self.strongest()))?;
        }
        let findings = &self.explanation.findings;
        if findings.is_empty() {
            writeln!(page, "No artifact is named.\n")?;
        } else {
            writeln!(
                page,
                "| artifact | where | measure | value | camera pictures | explanation |"
            )?;
            writeln!(page, "|---|---|---|---:|---|---|")?;
            for finding in findings {
                writeln!(page, "| {} |", cells(finding).join(" | "))?;
            }
            writeln!(page)?;
        }
        for (title, sentences) in self.lists() {
            if !sentences.is_empty() {
                writeln!(page, "## {title}\n")?;
                sentences
                    .iter()
                    .try_for_each(|text| writeln!(page, "- {}", markdown_text(text)))?;
                writeln!(page)?;
            }
        }
        writeln!(page, "{}, {}", markdown_text(&self.provenance.model), self.maker())
    }
}

fn cells(finding: &Finding) -> [String; 6] {
    let region = markdown_text(finding.region.map_or("everywhere", Region::as_str));
    let evidence = finding.evidence.as_ref();
    let [measure, value, standing] = match evidence {
        Some(e) => [markdown_text(&e.measure), significant(e.value), standing(e.percentile)],
        None => ["not measured", "", ""].map(str::to_owned),
    };
    let name = markdown_text(finding.artifact.name());
    [name, region, measure, value, standing, markdown_text(&finding.explanation)]
}

/// `text` on one line, escaped so that Markdown finds no markup: no emphasis, link, picture, mention,
/// formula, cell, list or tag. Only characters that would be markup are escaped, so that sentences
/// stay readable.
#[must_use]
pub fn markdown_text(text: &str) -> String {
    let text = line(text);
    let text = text.trim();
    // Hashes at the end of a heading would be taken for its end.
    let end = text.trim_end_matches('#').len();
    let mut out = String::with_capacity(text.len());
    let (mut before, mut rest) = (None, text.char_indices().peekable());
    let mut is_number = true;
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map_or(' ', |(_, next)| *next);
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            ':' if next == '/' => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            '#' | '+' | '-' | '=' if before.is_none() => out.extend(['\\', c]),
            '#' if at >= end => out.push_str("\\#"),
            // `1.` opens a list, `www.a` and perhaps `a.com` are links.
            '.' | ')' if is_number && before.is_some() => out.extend(['\\', c]),
            '.' if before.is_some_and(char::is_alphabetic) && next.is_alphanumeric() => {
                out.push_str("\\.");
            }
            _ => out.push(c),
        }
        before = Some(c);
        is_number &= c.is_ascii_digit();
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_is_escaped_and_sentences_stay_readable() {
        for (text, expected) in [
            (
                "Over-smoothing of fur by 9.5 %. Twice (or 3).",
                "Over-smoothing of fur by 9.5 %. Twice (or 3).",
            ),
            ("![x](http://a.example)", "!\\[x\\](http&#58;//a\\.example)"),
            ("a | b\n| c", "a \\| b \\| c"),
            ("<b>&amp; @you *x* $y$", "&lt;b&gt;&amp;amp; &#64;you \\*x\\* \\$y\\$"),
            ("1. first", "1\\. first"),
            ("- item\u{202e}", "\\- item"),
            ("www.a.example", "www\\.a\\.example"),
            ("# C# of ##", "\\# C# of \\#\\#"),
        ] {
            assert_eq!(markdown_text(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_opens_a_tag_a_cell_or_a_line(text in any::<String>()) {
            let shown = markdown_text(&text);
            prop_assert!(!shown.contains(['<', '>', '\n', '\r']));
            let mut is_escaped = false;
            for c in shown.chars() {
                prop_assert!(is_escaped || !"`*_[]|~$".contains(c), "{shown}");
                is_escaped = c == '\\' && !is_escaped;
            }
        }
    }
}
