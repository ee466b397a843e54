//! Escaped text for HTML.

use std::fmt;

use crate::plain::line;

/// `text` as content of an element or as a quoted attribute of an HTML page, on one line, without characters that
/// cannot be seen.
#[must_use]
pub fn html_text(text: &str) -> String {
    Escaped(text).to_string()
}

/// Text as content of an element or as a quoted attribute, without invisible characters. A percent
/// sign stays on the line of its number.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = line(self.0).replace(" %", "\u{a0}%");
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(Escaped("9 %").to_string(), "9\u{a0}%");
        let text = Escaped("<a href=\"x\" id='y'>&amp;\u{202e}猫</a>").to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;猫&lt;/a&gt;");
    }
}
