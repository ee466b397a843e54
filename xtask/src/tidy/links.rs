//! Links of the documentation to files of the repository and to their headings.

use std::collections::BTreeSet;

use super::tree::{Text, Tree, Violation};

/// Links in Markdown whose file or heading does not exist.
pub(crate) fn broken(tree: &Tree) -> Vec<Violation> {
    let root = &tree.workspace.root;
    let exists = |path: &str| root.join(path).exists();
    let heading = |path: &str, anchor: &str| {
        let text = tree.texts.iter().find(|text| text.path == path);
        text.is_none_or(|text| anchors(&text.text).contains(anchor))
    };
    let markdown = tree.texts.iter().filter(|text| text.path.ends_with(".md"));
    markdown.flat_map(|text| of(text, &exists, &heading)).collect()
}

fn of(
    text: &Text,
    exists: &dyn Fn(&str) -> bool,
    heading: &dyn Fn(&str, &str) -> bool,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in text.text.lines().enumerate() {
        for link in targets(line).filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = if path.is_empty() { text.path.clone() } else { resolved(&text.path, path) };
            let what = if !exists(&path) {
                format!("there is no {path}")
            } else if !anchor.is_empty() && !heading(&path, anchor) {
                format!("{path} has no heading #{anchor}")
            } else {
                continue;
            };
            found.push(Violation::new(format!("{}:{}", text.path, index + 1), what));
        }
    }
    found
}

/// The targets in the parentheses of `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// `link` as seen from the file `from`, without `.` and `..`.
fn resolved(from: &str, link: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings =
        markdown.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let anchor = |text: &str| -> String {
        text.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let exists = |path: &str| ["docs/a.md", "README.md", "crates/b"].contains(&path);
        let heading = |path: &str, anchor: &str| path == "docs/a.md" && anchor == "one-two";
        let found = of(&Text::new("docs/c.md", text), &exists, &heading);
        found.into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn links_to_files_and_headings_that_exist_pass() {
        let text = "[a](a.md) [b](../crates/b) [c](../README.md)\n[d](a.md#one-two) <https://e.f> [g](https://h.i/j)";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn broken_links_are_named() {
        assert_eq!(found("[a](b.md)"), ["there is no docs/b.md"]);
        assert_eq!(found("x [a](a.md#three)"), ["docs/a.md has no heading #three"]);
    }

    #[test]
    fn headings_become_anchors() {
        let anchors = anchors("# What `x` is, and why\ntext\n### A-b (c)\n");
        assert_eq!(anchors.into_iter().collect::<Vec<_>>(), ["a-b-c", "what-x-is-and-why"]);
    }
}
