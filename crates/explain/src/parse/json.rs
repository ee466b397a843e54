//! Items of an answer in JSON, which may break off.
//!
//! This is a scanner, not a parser. A parser would fail on broken answers, recurse into deep ones and
//! lose the order of keys, which is strongest first. The scanner reads one string after the other as
//! a key or a value and skips the rest.

use std::mem;

use super::item::{Field, Item, artifact_of, field_of, item_of_line};
use crate::plain::plain;

/// The items in their order.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) items: Vec<Item>,
    /// Whether the answer ended inside a string or a bracket.
    pub(super) is_cut: bool,
}

/// The index at which JSON begins in `answer`: brackets, then a quotation mark.
pub(super) fn json_start(answer: &str) -> Option<usize> {
    let mut start = None;
    for (at, c) in answer.char_indices() {
        match c {
            '{' | '[' => start = start.or(Some(at)),
            '"' if start.is_some() => return start,
            c if c.is_whitespace() => {}
            _ => start = None,
        }
    }
    None
}

/// The items of `json`: an object of names and explanations, or a list of objects that have both.
pub(super) fn items_of_json(json: &str) -> Read {
    let mut scan = Scan::default();
    let mut rest = json;
    while let Some(at) = rest.find(['{', '}', '[', ']', ',', '"']) {
        let mark = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        if mark == b'"' {
            let Some(end) = string_end(rest) else {
                scan.read.is_cut = true;
                break;
            };
            let text = decoded(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.trim_start().strip_prefix(':') {
                Some(after) => {
                    scan.key = Some(text);
                    rest = after;
                }
                None => scan.value(text),
            }
        } else {
            scan.mark(mark);
        }
    }
    scan.close();
    scan.read.is_cut |= scan.depth > 0;
    scan.read
}

/// The end of the string with which `rest` begins.
fn string_end(rest: &str) -> Option<usize> {
    let mut is_escaped = false;
    rest.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// The text of a string, made [`plain`] again: escapes may have hidden characters.
fn decoded(string: &str) -> String {
    let string = string.replace('\n', " ");
    plain(&serde_json::from_str::<String>(&format!("\"{string}\"")).unwrap_or(string))
}

#[derive(Default)]
struct Scan {
    depth: usize,
    /// The key whose value is awaited.
    key: Option<String>,
    /// The contents of the current object so far.
    open: Item,
    read: Read,
}

impl Scan {
    fn mark(&mut self, mark: u8) {
        let key = self.key.take();
        match mark {
            b'{' => {
                self.close();
                self.open.name = key.filter(|key| artifact_of(key).is_some()).unwrap_or_default();
                self.depth += 1;
            }
            b'[' => self.depth += 1,
            b'}' => {
                self.close();
                self.depth = self.depth.saturating_sub(1);
            }
            b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn value(&mut self, text: String) {
        let key = self.key.take();
        if self.depth == 0 {
            return;
        }
        let Some(key) = key else {
            self.read.items.extend(item_of_line(&text));
            return;
        };
        match field_of(&key) {
            Some(Field::Name) => {
                if !self.open.name.is_empty() {
                    self.close();
                }
                self.open.name = text;
            }
            Some(Field::Text) => self.open.text = text,
            Some(Field::Place) => self.open.place = text,
            None => self.read.items.push(Item { name: key, text, place: String::new() }),
        }
    }

    /// Ends the current object, which counts if it has a name.
    fn close(&mut self) {
        let open = mem::take(&mut self.open);
        if !open.name.is_empty() {
            self.read.items.push(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(json: &str) -> Vec<(String, String)> {
        items_of_json(json).items.into_iter().map(|item| (item.name, item.text)).collect()
    }

    #[test]
    fn objects_and_lists_of_objects_are_read_in_order() {
        let expected = [("Z", "one, {two}"), ("A", "a \"b\"")];
        for json in [
            r#"{"Z": "one, {two}", "A": "a \"b\""}"#,
            r#"[{"artifact": "Z", "explanation": "one, {two}"}, {"text": "a \"b\"", "Name": "A"}]"#,
            r#"{"n": 2, "l": [{"name":"Z", "text":"one, {two}"}, {"name":"A", "text":"a \"b\""}]}"#,
            "{\"name\":\"Z\", \"text\":\"one,\n{two}\"}\n{\"name\":\"A\",\"text\":\"a \\\"b\\\"\"}",
        ] {
            let read = items_of_json(json);
            assert!(!read.is_cut, "{json}");
            let read: Vec<_> = read.items.iter().map(|item| (&*item.name, &*item.text)).collect();
            assert_eq!(read, expected, "{json}");
        }
    }

    #[test]
    fn names_may_hold_objects_and_lists_may_hold_lines() {
        let json = r#"{"Artificial smoothness": {"region": "top left", "explanation": "Flat."}}"#;
        let read = items_of_json(json);
        assert_eq!(read.items[0].place, "top left");
        assert_eq!(pairs(json), [("Artificial smoothness".to_owned(), "Flat.".to_owned())]);
        let json = r#"{"artifacts": ["Artificial smoothness: Flat."]}"#;
        assert_eq!(pairs(json), [("Artificial smoothness".to_owned(), "Flat.".to_owned())]);
    }

    #[test]
    fn what_stands_before_a_cut_is_kept() {
        let whole = r#"{"A": "one", "B": "two", "C": "three"}"#;
        for end in 1..whole.len() {
            let read = items_of_json(&whole[..end]);
            assert!(read.is_cut, "{end}");
            let n_whole = [11, 23, 37].into_iter().filter(|closed| end >= *closed).count();
            assert_eq!(read.items.len(), n_whole, "{end}");
        }
    }

    #[test]
    fn escapes_hide_nothing() {
        let read = pairs(r#"{"A": "ends in \\", "B": "two"}"#);
        assert_eq!((read.len(), &*read[0].1), (2, r"ends in \"));
        assert_eq!(pairs(r#"{"A": "x\u001b[31my\u202e\n\ud83d\ude00"}"#)[0].1, "xy\n😀");
        assert_eq!(pairs(r#"{"A": "\ud83d \q"}"#)[0].1, r"\ud83d \q");
    }

    #[test]
    fn json_begins_with_brackets_and_a_quotation_mark() {
        assert_eq!(json_start("Here:\n```json\n[ {\n \"a\": 1"), Some(14));
        assert_eq!(json_start("[1] Ghosting: a \"b\""), None);
        assert_eq!(json_start(&"[".repeat(100_000)), None);
    }
}
