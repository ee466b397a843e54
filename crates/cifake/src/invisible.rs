//! Characters without a picture of their own.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_hides_a_text_is_invisible() {
        assert!("\u{202e}\u{200b}\u{2066}\u{feff}\u{e0041}".chars().all(is_invisible));
        assert!(!"a 猫é\n\u{1b}".chars().any(is_invisible));
    }
}
