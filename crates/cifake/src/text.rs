//! Names and messages from outside, made safe to print.

use std::borrow::Cow;
#[cfg(unix)]
use std::fmt::Write;
use std::path::Path;

/// `text` on one line, with no character that steers a terminal or cannot be seen.
///
/// Line ends, control characters, characters that turn the reading direction and characters without
/// a width become escapes such as `\n` or `\u{202e}`. All other text stays as it is.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe)
}

/// As [`one_line`], but line ends stay: for messages of several lines.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_unsafe(c))
}

/// The text of `path`, different for different paths even where a path is not UTF-8.
///
/// UTF-8 paths stay as they are. In any other path each byte that breaks UTF-8 becomes `\xNN`, and
/// a backslash becomes `\\`. If paths are not bytes, U+FFFD replaces what is no text.
#[must_use]
pub fn path_text(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => bytes_text(path),
    }
}

/// [`path_text`] on [one line](one_line), for people.
#[must_use]
pub fn path_line(path: &Path) -> String {
    one_line(&path_text(path)).into_owned()
}

#[cfg(unix)]
fn bytes_text(path: &Path) -> String {
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    let mut text = String::with_capacity(bytes.len() + 3);
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', r"\\"));
        for byte in chunk.invalid() {
            write!(text, r"\x{byte:02X}").expect("a text takes every character");
        }
    }
    text
}

#[cfg(not(unix))]
fn bytes_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A share in percent with two digits. One between two such numbers becomes the larger, so that 19,325 of 20,000
/// are the same number everywhere.
///
/// ```
/// use cifake::text::percent;
///
/// assert_eq!([0.97484, 0.96625, -0.5].map(percent), ["97.48", "96.63", "-50.00"]);
/// ```
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.2}", (share * 1e4).round() / 1e2)
}

/// `n` of what `noun` names, in words: `1 picture`, `2 pictures`. The plural of `noun` ends in `s`.
///
/// ```
/// use cifake::text::counted;
///
/// assert_eq!([0, 1, 2].map(|n| counted(n, "step")), ["0 steps", "1 step", "2 steps"]);
/// ```
#[must_use]
pub fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn escaped(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            _ if !is_unsafe(c) => out.push(c),
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            _ => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// Whether `c` cannot be seen although it is no space: bidirectional controls, zero-width characters,
/// fillers, variation selectors, tags.
///
/// Such characters can hide a text or turn its direction. Control characters
/// ([`char::is_control`]) and white space are not among them.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Control characters, line ends and [invisible](is_invisible) characters.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_hides_a_text_is_invisible() {
        assert!("\u{202e}\u{200b}\u{2066}\u{feff}\u{e0041}".chars().all(is_invisible));
        assert!(!"a 猫é\n\u{1b}".chars().any(is_invisible));
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in ["photo (2).jpg", "Übung/猫.png", r"C:\a\b.png", ""] {
            assert_eq!((one_line(text), printable(text)), (text.into(), text.into()));
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(one_line("a\nb\r\tc"), r"a\nb\r\tc");
        assert_eq!(one_line("\u{1b}[31m\u{9b}x\u{7f}"), r"\u{1b}[31m\u{9b}x\u{7f}");
        assert_eq!(one_line("gpj.\u{202e}exe\u{200b}"), r"gpj.\u{202e}exe\u{200b}");
        assert_eq!(printable("a\nb\r\u{1b}[2J"), "a\nb\\r\\u{1b}[2J");
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_not_utf8_stay_apart() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let text = |bytes: &[u8]| path_text(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(text(b"a\xff.png"), r"a\xFF.png");
        assert_eq!(text(b"a\xfe.png"), r"a\xFE.png");
        assert_eq!(text(b"\\xFF\xff"), r"\\xFF\xFF");
        assert_eq!(text("ü\\.png".as_bytes()), "ü\\.png");
    }
}
