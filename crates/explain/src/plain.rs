//! Untrusted text, made harmless to show.

use std::iter::Peekable;
use std::str::Chars;

use cifake::text::is_invisible;

const ESCAPE: char = '\u{1b}';
/// Ends a control string, where `ESC \` does not.
const BELL: char = '\u{7}';
/// The same as `ESC \` in one character.
const STRING_TERMINATOR: char = '\u{9c}';

/// Longest control string that is looked for an end: a link or a title.
const MAX_STRING: usize = 256;

/// `text` without characters that steer a terminal, turn the direction of reading or cannot be seen.
/// Line ends of any kind become `\n`; other white space becomes a space.
///
/// Escape sequences of terminals (ECMA-48) are removed as a whole. Of a control string without an
/// end only its opening is removed, so that it cannot hide the text behind it.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ESCAPE => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_control_string(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            _ if c.is_whitespace() => out.push(' '),
            _ if is_hidden(c) => {}
            _ => out.push(c),
        }
    }
    out
}

/// [`plain`] text on one line.
pub(crate) fn line(text: &str) -> String {
    plain(text).replace('\n', " ")
}

/// Whether [`plain`] would take anything out of `text`.
pub(crate) fn has_hidden(text: &str) -> bool {
    text.chars().any(|c| is_hidden(c) && !c.is_whitespace())
}

/// The first `max_chars` characters of `text`, with `…` for the rest if there is any.
pub(crate) fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Controls, and characters without a shape of their own, in which a text can be hidden.
fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some('P' | 'X' | ']' | '^' | '_') => {
            rest.next();
            skip_control_string(rest);
        }
        Some(' '..='~') => {
            // Intermediate characters, such as the `(` of `ESC ( B`, and the final one.
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
        _ => {}
    }
}

/// Parameters, intermediate characters and the final one.
fn skip_control_sequence(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

fn skip_control_string(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    for _ in 0..MAX_STRING {
        let Some(c) = ahead.next() else { return };
        let ends = matches!(c, BELL | STRING_TERMINATOR)
            || (c == ESCAPE && ahead.next_if_eq(&'\\').is_some());
        if ends {
            *rest = ahead;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_go_as_a_whole() {
        for (text, expected) in [
            ("a\u{1b}[31;1mred\u{1b}[0m b", "ared b"),
            ("\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{7}", "link"),
            ("\u{9b}2Jgone", "gone"),
            ("\u{1b}(Bplain\u{1b}c", "plain"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_string_without_an_end_hides_nothing() {
        assert_eq!(plain("\u{1b}]0;FAKE after all"), "0;FAKE after all");
        assert_eq!(plain("\u{90}q\u{1b}[1mFAKE"), "qFAKE");
    }

    #[test]
    fn what_cannot_be_seen_or_turns_the_text_around_goes() {
        assert_eq!(plain("gpj.\u{202e}exe\u{202c}\u{200b}\u{feff}\u{e0041}"), "gpj.exe");
        assert_eq!(line("one\r\ntwo\tthree\u{2028}four\0"), "one two three four");
        assert_eq!(plain("a\r\nb\rc\u{2028}d\te\u{a0}f"), "a\nb\nc\nd e f");
        assert!(has_hidden("a\u{8}b") && !has_hidden("plain\r\ntext\t<b>é</b>"));
        assert_eq!(plain("Grüße, 猫 ✓"), "Grüße, 猫 ✓");
    }

    proptest! {
        #[test]
        fn nothing_of_it_steers_a_terminal(text in any::<String>(), tail in "\\PC*") {
            let shown = line(&format!("{text}\u{1b}[{tail}"));
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_invisible(c)), "{shown:?}");
            prop_assert_eq!(line(&shown), shown);
        }
    }
}
