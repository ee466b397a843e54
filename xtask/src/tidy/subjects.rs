//! The beginnings of sentences: a noun is the subject, not a question without its mark.

use super::sentences::{paragraphs, split};
use super::source::Line;
use super::tree::{Text, Violation};

/// Words that begin a question, and no other sentence.
const QUESTIONS: [&str; 3] = ["What", "Who", "Where"];

/// The sentences of the Markdown or of the comments of a file that begin like a question and ask
/// none.
pub(crate) fn subjects(text: &Text) -> Vec<Violation> {
    let prose = match text.path.ends_with(".md") {
        true => paragraphs(&text.text),
        false => paragraphs(&comments(&text.lines)),
    };
    let sentences = prose
        .into_iter()
        .flat_map(|(line, text)| split(&text).into_iter().map(move |sentence| (line, sentence)));
    let breach = |(line, sentence): (usize, String)| {
        let place = format!("{}:{line}", text.path);
        begins_like_a_question(&sentence).then(|| Violation::new(place, sentence))
    };
    sentences.filter_map(breach).collect()
}

/// True if the first word is one of [`QUESTIONS`] and the last character is no question mark.
fn begins_like_a_question(sentence: &str) -> bool {
    let bare = sentence.trim_matches(['"', '(', ')', '*', '_', '“', '”']);
    let first = bare.split(|c: char| !c.is_alphanumeric()).next();
    first.is_some_and(|word| QUESTIONS.contains(&word)) && !bare.ends_with('?')
}

/// The comments of a file as Markdown with as many lines: those of code alone are empty.
fn comments(lines: &[Line]) -> String {
    let text = |line: &Line| {
        let text = line.comment.trim_start_matches(['/', '!', '*']).trim_end_matches("*/");
        text.strip_prefix(' ').unwrap_or(text).to_owned()
    };
    lines.iter().map(text).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        subjects(&Text::new(path, text)).into_iter().map(|violation| violation.place).collect()
    }

    #[test]
    fn a_sentence_does_not_begin_like_a_question() {
        let wrong =
            "A fact.\n\n- What it is made of.\n- It rests. **Where** it\n  stands, it rests.\n";
        assert_eq!(places("a.md", wrong), ["a.md:3", "a.md:4"]);
        assert_eq!(places("a.md", "It is there. (Who calls it decides.)\n"), ["a.md:1"]);
        assert_eq!(places("a.md", "Whatever it is, it stays. It says what it is.\n"), [""; 0]);
    }

    #[test]
    fn a_question_keeps_its_word() {
        assert_eq!(places("a.md", "What is it? \"Where does it stand?\" Here.\n"), [""; 0]);
    }

    #[test]
    fn code_tables_and_headings_are_no_sentences() {
        let text =
            "# What it is\n\n| What it is. |\n\n```text\nWhat it is.\n```\n\n`What` is a word.\n";
        assert_eq!(places("a.md", text), [""; 0]);
    }

    #[test]
    fn comments_are_read_and_code_is_not() {
        let wrong = "//! Facts.\n\n/// The part. What\n/// is left.\nfn a() {}\n";
        assert_eq!(places("a.rs", wrong), ["a.rs:3"]);
        assert_eq!(places("a.rs", "let a = 1; // Where it is.\n"), ["a.rs:1"]);
        assert_eq!(places("a.rs", "/* What it\nis. */\n"), ["a.rs:1"]);
        let right = "/// The part.\nfn what() -> &'static str {\n    \"What it is.\"\n}\n";
        assert_eq!(places("a.rs", right), [""; 0]);
    }
}
