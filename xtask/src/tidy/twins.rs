//! Twins: the same run of lines in two places.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use super::exceptions::{Breach, Exceptions};
use super::tree::{Text, Tree, Violation};

/// Runs of at most this many lines may stand twice.
const MAX_LINES: usize = 12;

/// A line of code that counts: its number from 1, and its text without indentation.
type Counted<'a> = (usize, &'a str);

/// Two places that hold the same lines: file, index among its counted lines.
#[derive(Debug, PartialEq, Eq)]
struct Twin {
    first: (usize, usize),
    second: (usize, usize),
    length: usize,
}

/// Pairs of files with a common run of lines that the list of exceptions does not cover.
pub(crate) fn twins(tree: &Tree) -> Result<Vec<Violation>> {
    let texts: Vec<&Text> = tree.rust().filter(|text| !is_test(&text.path)).collect();
    let files: Vec<Vec<Counted>> = texts.iter().map(|text| counted(text)).collect();
    let mut pairs: BTreeMap<String, Breach> = BTreeMap::new();
    for twin in find(&files) {
        let place = |(file, index): (usize, usize)| {
            format!("{}:{}", texts[file].path, files[file][index].0)
        };
        let key = format!("{} {}", texts[twin.first.0].path, texts[twin.second.0].path);
        let what = format!("{} lines stand at {} as well", twin.length, place(twin.second));
        let breach = Breach {
            key: key.clone(),
            count: 0,
            violation: Violation::new(place(twin.first), what),
        };
        pairs.entry(key).or_insert(breach).count += twin.length;
    }
    Exceptions::of(tree, "twins")?.judge(tree, pairs.into_values().collect())
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || ["/tests/", "/fixtures/"].iter().any(|part| path.contains(part))
}

/// Lines with a word of code, outside tests.
fn counted(text: &Text) -> Vec<Counted<'_>> {
    let lines = text.text.lines().zip(&text.lines).enumerate();
    let has_word = |code: &str| code.chars().any(char::is_alphanumeric);
    let kept = lines.filter(|(_, (_, line))| !line.test && has_word(&line.code));
    kept.map(|(index, (raw, _))| (index + 1, raw.trim())).collect()
}

/// Every longest run of more than [`MAX_LINES`] lines that stands in two places.
fn find(files: &[Vec<Counted>]) -> Vec<Twin> {
    let mut places: HashMap<Vec<&str>, Vec<(usize, usize)>> = HashMap::new();
    for (file, lines) in files.iter().enumerate() {
        for (index, window) in lines.windows(MAX_LINES + 1).enumerate() {
            let texts = window.iter().map(|(_, text)| *text).collect();
            places.entry(texts).or_default().push((file, index));
        }
    }
    let mut found: Vec<Twin> = Vec::new();
    for same in places.into_values().filter(|same| same.len() > 1) {
        for (n, first) in same.iter().enumerate() {
            found.extend(same[n + 1..].iter().filter_map(|second| run(files, *first, *second)));
        }
    }
    found.sort_by_key(|twin| (twin.first, twin.second));
    found
}

/// The run that begins at both places; `None` inside a run that began before, or where the two
/// places overlap.
fn run(files: &[Vec<Counted>], first: (usize, usize), second: (usize, usize)) -> Option<Twin> {
    let text = |(file, index): (usize, usize)| files[file].get(index).map(|(_, text)| *text);
    let same = |offset: usize| {
        let ours = text((first.0, first.1 + offset));
        ours.is_some() && ours == text((second.0, second.1 + offset))
    };
    let began_before = first.1 > 0
        && second.1 > 0
        && text((first.0, first.1 - 1)) == text((second.0, second.1 - 1));
    let length = (0..).take_while(|offset| same(*offset)).count();
    let overlap = first.0 == second.0 && second.1 - first.1 < length;
    (!began_before && !overlap).then_some(Twin { first, second, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sources: &[&str]) -> Vec<Twin> {
        let texts: Vec<Text> =
            sources.iter().map(|source| Text::new("crates/a/src/a.rs", *source)).collect();
        find(&texts.iter().map(counted).collect::<Vec<_>>())
    }

    fn numbered(range: std::ops::Range<usize>) -> String {
        range.map(|n| format!("let a{n} = {n};\n")).collect()
    }

    #[test]
    fn a_common_run_is_found_once_at_its_full_length() {
        let one = format!("fn a() {{\n{}}}", numbered(0..15));
        let two = format!("// b\n\nfn b() {{\n    {}}}", numbered(0..15).replace('\n', "\n    "));
        let twin = Twin { first: (0, 1), second: (1, 1), length: 15 };
        assert_eq!(found(&[&one, &two]), [twin]);
    }

    #[test]
    fn twelve_lines_may_stand_twice() {
        assert_eq!(found(&[&numbered(0..12), &numbered(0..12)]), []);
        assert_eq!(found(&[&numbered(0..13), &numbered(0..13)]).len(), 1);
    }

    #[test]
    fn tests_comments_and_braces_do_not_count() {
        let test = format!("#[cfg(test)]\nmod tests {{\n{}}}", numbered(0..20));
        assert_eq!(found(&[&test, &test]), []);
        let commented = "// a\n}\n".repeat(20);
        assert_eq!(found(&[&commented, &commented]), []);
    }

    #[test]
    fn other_literals_are_other_lines() {
        let row = |n: usize| (0..15).map(|i| format!("f(\"{}\");\n", i * n)).collect::<String>();
        assert_eq!(found(&[&row(3), &row(7)]), []);
    }

    #[test]
    fn a_list_of_like_lines_is_no_twin_of_itself() {
        assert_eq!(found(&[&"f(a);\n".repeat(25)]), []);
    }
}
