//! Items of an answer that is written in lines.

use crate::Artifact;

/// Longest start of a line that is searched for a name, in bytes. The longest name has 57.
const MAX_NAME: usize = 120;
/// Most words before a colon that count as a name.
const MAX_NAME_WORDS: usize = 10;

/// The text of an answer about one artifact.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) text: String,
    /// The place, if it is named beside the text.
    pub(super) place: String,
}

/// The meaning of a word before a colon that is not an artifact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field {
    Name,
    Text,
    Place,
}

/// The items of an answer, and its form.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) items: Vec<Item>,
    /// Whether there were bullets, numbers, headings, bold letters or fences.
    pub(super) has_markup: bool,
    /// Number of lines that belong to no item.
    pub(super) n_loose: usize,
}

/// The items of `answer`, one a line, or a line of name and lines of text.
pub(super) fn items_of_lines(answer: &str) -> Lines {
    let mut lines = Lines::default();
    let mut is_below_item = false;
    for written in answer.lines().map(str::trim) {
        if written.starts_with("```") {
            lines.has_markup = true;
            continue;
        }
        let line = bare(written);
        if line.is_empty() {
            is_below_item = false;
            continue;
        }
        let has_markup = line != written.trim_end_matches(',');
        lines.has_markup |= has_markup;
        is_below_item = lines.read(&line, is_below_item && !has_markup);
    }
    lines
}

impl Lines {
    /// Reads a line and returns whether it belongs to an item. `may_go_on` tells that it may continue
    /// the line before.
    fn read(&mut self, line: &str, may_go_on: bool) -> bool {
        let found = item_of_line(line);
        let is_known = found.as_ref().is_some_and(|item| artifact_of(&item.name).is_some());
        let last = self.items.last_mut();
        if let (Some(last), false) = (last, is_known) {
            let field = found.as_ref().and_then(|item| Some((field_of(&item.name)?, &item.text)));
            match field {
                Some((Field::Text, text)) => return append(&mut last.text, text),
                Some((Field::Place, text)) => return append(&mut last.place, text),
                _ => {}
            }
            let is_rest = may_go_on
                && line.starts_with(char::is_lowercase)
                && !last.text.ends_with(['.', '!', '?']);
            if last.text.is_empty() || is_rest {
                return append(&mut last.text, line);
            }
        }
        self.n_loose += usize::from(found.is_none());
        let is_item = found.is_some();
        self.items.extend(found);
        is_item
    }
}

fn append(text: &mut String, more: &str) -> bool {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
    true
}

/// The item that a line without markup starts. Its name is the longest start that is a known name, or
/// the text before the first colon. A leading `Artifact:` is skipped.
pub(super) fn item_of_line(line: &str) -> Option<Item> {
    if let Some((name, text)) = known_name(line) {
        return Some(Item { name: name.to_owned(), text: text.to_owned(), place: String::new() });
    }
    let (head, text) = line.split_once(':')?;
    let (head, text) = (head.trim(), trim_text(text));
    if field_of(head) == Some(Field::Name) {
        return match known_name(text) {
            Some(_) => item_of_line(text),
            None => Some(Item { name: text.to_owned(), ..Item::default() }),
        };
    }
    let n_words = head.split_whitespace().count();
    (1..=MAX_NAME_WORDS).contains(&n_words).then(|| Item {
        name: head.to_owned(),
        text: text.to_owned(),
        place: String::new(),
    })
}

/// Splits a line after the longest name that it begins with.
fn known_name(line: &str) -> Option<(&str, &str)> {
    let is_end = |&(at, c): &(usize, char)| match c {
        ':' | '.' | '|' | '=' | '–' | '—' | '(' => true,
        '-' => line[at + 1..].starts_with(' '),
        _ => false,
    };
    let ends = line.char_indices().take_while(|(at, _)| *at < MAX_NAME).filter(is_end);
    let ends: Vec<(usize, char)> = ends.collect();
    if artifact_of(line).is_some() {
        return Some((line, ""));
    }
    let at = ends.into_iter().rev().find(|(at, _)| artifact_of(&line[..*at]).is_some());
    at.map(|(at, c)| {
        let rest = if c == '(' { at } else { at + c.len_utf8() };
        (line[..at].trim(), trim_text(&line[rest..]))
    })
}

/// A text without the separator from its name, and without quotation marks around it.
fn trim_text(text: &str) -> &str {
    let text = text.trim_start_matches([' ', ':', '-', '–', '—', '|', '=']).trim();
    let inner =
        text.strip_prefix('"').and_then(|text| text.trim_end_matches(',').strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}

/// The artifact called `name`, which may have a number or a bullet before it.
pub(super) fn artifact_of(name: &str) -> Option<Artifact> {
    if name.len() > 2 * MAX_NAME {
        return None;
    }
    bare(name).parse().ok()
}

/// The field that `label`, a word such as `explanation`, announces.
pub(super) fn field_of(label: &str) -> Option<Field> {
    let letters: String =
        label.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    Some(match letters.as_str() {
        "artifact" | "artefact" | "artifactname" | "artefactname" | "name" | "title" => Field::Name,
        "explanation" | "description" | "reason" | "rationale" | "details" | "text" => Field::Text,
        "region" | "location" | "position" | "place" | "where" => Field::Place,
        _ => return None,
    })
}

/// `line` without bullets and numbers before it, stars and backticks within it, and a table's
/// borders.
fn bare(line: &str) -> String {
    let mut rest = line.trim();
    loop {
        let bullets = ['#', '>', '-', '*', '•', '·', '▪', '●', '–', '|', '+', ' ', '"', '\''];
        let after = rest.trim_start_matches(bullets);
        let after = without_number(after).unwrap_or(after);
        if after.len() == rest.len() {
            break;
        }
        rest = after;
    }
    let plain: String = rest.chars().filter(|c| !['*', '`'].contains(c)).collect();
    plain.replace("__", "").trim_end_matches(['|', ' ', ',']).trim().to_owned()
}

/// The text after `1.`, `1)` or `(1)`.
fn without_number(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('(').unwrap_or(line);
    let after = inner.trim_start_matches(|c: char| c.is_ascii_digit());
    (after.len() < inner.len()).then(|| after.strip_prefix([')', '.']))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(answer: &str) -> Vec<(String, String)> {
        items_of_lines(answer).items.into_iter().map(|item| (item.name, item.text)).collect()
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn names_end_where_the_longest_known_one_does() {
        let ghosting = "Ghosting effects: Semi-transparent duplicates of elements";
        let line = format!("{ghosting}: The wing: twice.");
        assert_eq!(pairs(&line), [pair(ghosting, "The wing: twice.")]);
        assert_eq!(
            pairs("Ghosting effects: a faint wing."),
            [pair("Ghosting effects", "a faint wing.")]
        );
        assert_eq!(pairs("Nonsense: a: b"), [pair("Nonsense", "a: b")]);
    }

    #[test]
    fn bullets_numbers_and_markup_are_taken_off() {
        for line in [
            "- Artificial smoothness: The fur.",
            "1. **Artificial smoothness**: The fur.",
            "(2) `Artificial smoothness` - The fur.",
            "### 3) **Artificial smoothness:** The fur.",
            "* __Artificial smoothness__ — The fur.",
            "> • Artificial smoothness. The fur.",
            "| Artificial smoothness | The fur. |",
            "\"Artificial smoothness\": \"The fur.\",",
            "Artifact 1: Artificial smoothness: The fur.",
        ] {
            let read = pairs(line);
            assert_eq!(read.len(), 1, "{line}");
            let name = read[0].0.parse().map(Artifact::name);
            assert_eq!((name, &*read[0].1), (Ok("Artificial smoothness"), "The fur."), "{line}");
        }
        assert!(items_of_lines("- Artificial smoothness: The fur.").has_markup);
        assert!(!items_of_lines("Artificial smoothness: The fur.").has_markup);
    }

    #[test]
    fn texts_may_follow_on_lines_of_their_own() {
        let answer = "Here you are:\n\n**Artificial smoothness**\n\nThe fur.\n\nThat is all.\n\
                      2. Texture repetition patterns\n - Location: top left\n\
                      \x20- Explanation: Tiles.\n\
                      Color coherence breaks: a long line that is\nwrapped in two.\nThe end.";
        let lines = items_of_lines(answer);
        let texts: Vec<&str> = lines.items.iter().map(|item| &*item.text).collect();
        assert_eq!(texts, ["", "The fur.", "Tiles.", "a long line that is wrapped in two."]);
        assert_eq!((lines.items[2].place.as_str(), lines.n_loose), ("top left", 2));
    }

    #[test]
    fn a_thousand_colons_are_read_at_once() {
        assert!(items_of_lines(&":".repeat(60_000)).items.is_empty());
    }
}
