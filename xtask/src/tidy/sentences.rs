//! The length of sentences in Markdown.

use anyhow::Result;

use super::exceptions::{Breach, Exceptions};
use super::tree::{Text, Tree, Violation};

const MAX_WORDS: usize = 25;

/// Files with more long sentences than the list of exceptions allows.
pub(crate) fn sentences(tree: &Tree) -> Result<Vec<Violation>> {
    let markdown = tree.texts.iter().filter(|text| text.path.ends_with(".md"));
    Exceptions::of(tree, "sentences")?.judge(tree, markdown.filter_map(breach).collect())
}

/// The long sentences of a file, each with its line in the description.
fn breach(text: &Text) -> Option<Breach> {
    let long = long(&text.text);
    let (first, _) = long.first()?;
    let shown: Vec<String> =
        long.iter().map(|(line, sentence)| format!("\n         {line}: {sentence}")).collect();
    let what = format!("{} sentences of over {MAX_WORDS} words{}", long.len(), shown.concat());
    let violation = Violation::new(format!("{}:{first}", text.path), what);
    Some(Breach { key: text.path.clone(), count: long.len(), violation })
}

/// Line and text of every sentence of more than [`MAX_WORDS`] words.
fn long(markdown: &str) -> Vec<(usize, String)> {
    let count = |sentence: &str| sentence.split_whitespace().filter(|word| is_word(word)).count();
    paragraphs(markdown)
        .into_iter()
        .flat_map(|(line, text)| split(&text).into_iter().map(move |sentence| (line, sentence)))
        .filter(|(_, sentence)| count(sentence) > MAX_WORDS)
        .collect()
}

fn is_word(word: &str) -> bool {
    word.chars().any(char::is_alphanumeric)
}

/// The prose of a document: its paragraphs and list items, each on one line, with the number of its
/// first line. Code blocks, tables, headings and HTML are left out.
pub(super) fn paragraphs(markdown: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut fence, mut open) = (None::<&str>, false);
    for (index, line) in markdown.lines().enumerate() {
        let text = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| text.starts_with(mark));
        if mark.is_some() && (fence.is_none() || fence == mark) {
            fence = if fence.is_some() { None } else { mark };
            open = false;
            continue;
        }
        let prose = fence.is_none() && !text.is_empty() && !text.starts_with(['|', '#', '<']);
        if !prose {
            open = false;
            continue;
        }
        let item = list_item(text);
        match found.last_mut().filter(|_| open && item.is_none()) {
            Some((_, paragraph)) => {
                paragraph.push(' ');
                paragraph.push_str(text);
            }
            None => found.push((index + 1, item.unwrap_or(text).to_owned())),
        }
        open = true;
    }
    found.into_iter().map(|(line, text)| (line, plain(&text))).collect()
}

/// The text of a list item without its mark.
fn list_item(line: &str) -> Option<&str> {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = (number.len() < line.len()).then(|| number.strip_prefix(". ")).flatten();
    numbered.or_else(|| ["- ", "* ", "> "].iter().find_map(|mark| line.strip_prefix(mark)))
}

/// A paragraph with every code span as one word, every link as its text (a path or a
/// name as one word), and no pictures.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '[', '!']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((_, after)) = rest.strip_prefix('`').and_then(|code| code.split_once('`')) {
            out.push_str("Code");
            rest = after;
        } else if let Some((_, after)) = rest.strip_prefix("![").and_then(link) {
            rest = after;
        } else if let Some((shown, after)) = rest.strip_prefix('[').and_then(link) {
            let name = !shown.contains(' ');
            out.push_str(&if name { "Link".to_owned() } else { plain(shown) });
            rest = after;
        } else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out + rest
}

/// Text of the link that `text` continues behind its `[`, and everything after the link.
fn link(text: &str) -> Option<(&str, &str)> {
    let (shown, after) = text.split_once("](")?;
    Some((shown, after.split_once(')')?.1))
}

/// Splits behind `.`, `!` or `?` where the next word begins like a sentence.
pub(super) fn split(paragraph: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    let mut words = paragraph.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let sentence = sentences.last_mut().expect("there is always an open sentence");
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.push_str(word);
        let closed = word.trim_end_matches(['"', ')', '*', '_', '”']);
        let begins = |next: &&str| {
            let first = next.trim_start_matches(['"', '(', '*', '_', '“']).chars().next();
            first.is_some_and(|c| c.is_uppercase() || c.is_ascii_digit())
        };
        if closed.ends_with(['.', '!', '?']) && words.peek().is_some_and(begins) {
            sentences.push(String::new());
        }
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> String {
        vec!["word"; count].join(" ")
    }

    #[test]
    fn twenty_five_words_are_enough() {
        assert_eq!(long(&format!("{}.", words(25))), []);
        assert_eq!(long(&format!("# A\n\n{}.\n", words(26))).len(), 1);
        assert_eq!(long(&format!("A.\n\n{}\n{}.\n", words(13), words(13)))[0].0, 3);
    }

    #[test]
    fn a_sentence_ends_where_the_next_begins() {
        assert_eq!(split(&plain("One. Two, e.g. this. `Three` of 2.5 x? No")).len(), 4);
        assert_eq!(split(&plain("One. `Two`. (Three.) Four")).len(), 4);
    }

    #[test]
    fn code_tables_headings_and_addresses_are_no_prose() {
        let many = words(40);
        for text in [
            format!("```sh\n{many}\n```\n"),
            format!("| {many} |\n"),
            format!("## {many}\n"),
            format!("A `{many}` b.\n"),
            format!("![{many}](a.png)\n"),
        ] {
            assert_eq!(long(&text), [], "{text}");
        }
        assert_eq!(long(&format!("See [{many}](a.md).")).len(), 1);
    }

    #[test]
    fn items_of_a_list_are_sentences_of_their_own() {
        assert_eq!(long(&format!("- {}\n- {}\n1. {}\n", words(15), words(15), words(15))), []);
        assert_eq!(long(&format!("- {}\n  {}\n", words(15), words(15))).len(), 1);
    }

    #[test]
    fn an_item_keeps_the_line_it_begins_at() {
        assert_eq!(paragraphs("A\nb\n\n- c\n  d\n"), [(1, "A b".into()), (4, "c d".into())]);
    }
}
