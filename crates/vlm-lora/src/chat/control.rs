//! Text that spells a token which steers a model, kept apart from the token itself.
//!
//! The way is that of transformers 5.24 (`utils/chat_template_utils.py`,
//! `sanitize_control_tokens`), where it is optional. A token that a message spells is enclosed in
//! two private characters before the template sees it. Afterwards it is encoded as plain text.

/// Before what is mere text; private, and taken out of what messages say.
const START: char = '\u{f5e90}';
/// Behind it.
const END: char = '\u{f5e91}';

/// The tokens of a conversation that a message may not spell, longest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlTokens(Vec<String>);

impl ControlTokens {
    pub(crate) fn new(mut tokens: Vec<String>) -> Self {
        tokens.retain(|token| !token.is_empty());
        tokens.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        tokens.dedup();
        Self(tokens)
    }

    /// `text` with the two private characters around each of the tokens in it, and nowhere else.
    ///
    /// ```
    /// use vlm_lora::Tokenizer;
    ///
    /// let json = r#"{"added_tokens": [{"id": 1, "content": "<end>", "special": true, "single_word": false,
    ///     "lstrip": false, "rstrip": false, "normalized": false}],
    ///     "model": {"type": "BPE", "vocab": {"a": 0, "<end>": 1}, "merges": []}}"#;
    /// let tokenizer = Tokenizer::from_bytes(json.as_bytes(), "tokenizer.json".as_ref())?;
    /// let control = tokenizer.control_tokens(None);
    /// assert_eq!(control.mark("a<end>a"), "a\u{f5e90}<end>\u{f5e91}a");
    /// assert_eq!(tokenizer.encode("a<end>")?, [0, 1]);
    /// assert_eq!(tokenizer.encode_marked(&control.mark("a<end>"))?, [0]);
    /// # Ok::<(), vlm_lora::Error>(())
    /// ```
    #[must_use]
    pub fn mark(&self, text: &str) -> String {
        let mut marked = String::with_capacity(text.len());
        let clean: String = text.chars().filter(|c| ![START, END].contains(c)).collect();
        let mut by_first: [Vec<&str>; 256] = std::array::from_fn(|_| Vec::new());
        for token in &self.0 {
            by_first[usize::from(token.as_bytes()[0])].push(token);
        }
        let mut rest = clean.as_str();
        while let Some(letter) = rest.chars().next() {
            let tokens = &by_first[usize::from(rest.as_bytes()[0])];
            match tokens.iter().find(|token| rest.starts_with(**token)) {
                Some(token) => {
                    marked.push(START);
                    marked.push_str(token);
                    marked.push(END);
                    rest = &rest[token.len()..];
                }
                None => {
                    marked.push(letter);
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
        marked
    }
}

/// A part of a marked text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stretch<'a> {
    /// Text whose tokens keep their meaning.
    Written(&'a str),
    /// Mere text, whose spelling of a token steers nothing.
    Spelled(&'a str),
}

/// The parts of a `marked` text. A template may have cut a mark in two: a lone one parts what stands
/// beside it, and is left out.
pub(crate) fn stretches(marked: &str) -> Vec<Stretch<'_>> {
    let (mut found, mut rest) = (Vec::new(), marked);
    while let Some(at) = rest.find([START, END]) {
        let (before, mark) = rest.split_at(at);
        found.push(Stretch::Written(before));
        let is_start = mark.starts_with(START);
        let behind = &mark[START.len_utf8()..];
        rest = behind;
        let Some(end) = behind.find([START, END]).filter(|_| is_start) else { continue };
        if behind[end..].starts_with(END) {
            found.push(Stretch::Spelled(&behind[..end]));
            rest = &behind[end + END.len_utf8()..];
        }
    }
    found.push(Stretch::Written(rest));
    found.retain(|part| !matches!(part, Stretch::Written("") | Stretch::Spelled("")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_token_is_marked_and_marks_cannot_be_forged() {
        let control =
            ControlTokens::new(vec!["<a>".to_owned(), "<a><b>".to_owned(), "é".to_owned()]);
        let plain = |text: &str| text.replace(START, "[").replace(END, "]");
        assert_eq!(plain(&control.mark("x<a><b><a>é<")), "x[<a><b>][<a>][é]<");
        assert_eq!(plain(&control.mark(&format!("{START}<a{END}>"))), "[<a>]");
    }

    #[test]
    fn a_mark_that_was_cut_in_two_is_left_out() {
        use Stretch::{Spelled, Written};
        let text =
            |text: &str| text.replace('[', &START.to_string()).replace(']', &END.to_string());
        let marked = text("a[b]c");
        assert_eq!(stretches(&marked), [Written("a"), Spelled("b"), Written("c")]);
        let cut = text("a]b[c[d]");
        assert_eq!(stretches(&cut), [Written("a"), Written("b"), Written("c"), Spelled("d")]);
        assert_eq!(stretches(""), []);
    }
}
