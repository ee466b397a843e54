//! Short texts.

use crate::MAX_WORDS;
use crate::plain::shortened;

/// Most characters of [`MAX_WORDS`] words: a text without spaces is one word of any length.
const MAX_CHARS: usize = 12 * MAX_WORDS;

/// A quotation of the model's text for a remark or an error: one short line.
pub(crate) fn quoted(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    format!("`{}`", shortened(&words.join(" "), 60))
}

/// `text` on one line, cut to [`MAX_WORDS`] words. The cut follows the last whole sentence if that ends
/// in the second half of the words, and else the last word.
pub(super) fn brief(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut n_kept = words.len().min(MAX_WORDS);
    let chars = |words: &[&str]| words.iter().map(|word| word.chars().count() + 1).sum::<usize>();
    while n_kept > 1 && chars(&words[..n_kept]) > MAX_CHARS {
        n_kept -= 1;
    }
    let kept = &words[..n_kept];
    if n_kept == words.len() {
        return shortened(&kept.join(" "), MAX_CHARS);
    }
    let ends =
        |word: &&str| word.trim_end_matches(['"', '\'', ')', '”', '’']).ends_with(['.', '!', '?']);
    match kept.iter().rposition(ends) {
        Some(last) if 2 * (last + 1) >= n_kept => kept[..=last].join(" "),
        _ => format!(
            "{}…",
            shortened(&kept.join(" "), MAX_CHARS).trim_end_matches([',', ';', ':', '…'])
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_end_with_a_sentence_or_a_word() {
        let sentence = |n: usize| format!("{}end.", "word ".repeat(n - 1));
        assert_eq!(brief(&sentence(50)), sentence(50));
        assert_eq!(brief(&format!("{} {}", sentence(30), sentence(30))), sentence(30));
        let cut = brief(&format!("{} {}", sentence(10), sentence(90)));
        assert_eq!(cut.split_whitespace().count(), MAX_WORDS);
        assert!(cut.ends_with("word…"), "{cut}");
    }

    #[test]
    fn a_text_without_spaces_is_bounded_too() {
        assert_eq!(brief(&"猫".repeat(5000)).chars().count(), MAX_CHARS + 1);
        assert!(brief(&"猫 ".repeat(5000)).split_whitespace().count() <= MAX_WORDS);
    }

    #[test]
    fn quotes_are_short_lines() {
        assert_eq!(quoted(" a\n b "), "`a b`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 63);
    }
}
