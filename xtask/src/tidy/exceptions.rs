//! Known breaches of a rule, in `xtask/exceptions/RULE.txt`: a list that may only shrink.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::tree::{Tree, Violation};

/// The breaches of one kind: a file, a pair of files or an import.
pub(crate) struct Breach {
    /// The list's name of the kind.
    pub(crate) key: String,
    /// The number of breaches.
    pub(crate) count: usize,
    /// The place of the first one, and its description.
    pub(crate) violation: Violation,
}

/// The list of one rule.
pub(crate) struct Exceptions {
    path: String,
    header: String,
    /// Key -> the number of breaches that pass.
    allowed: BTreeMap<String, usize>,
}

impl Exceptions {
    /// Reads the list of `rule`.
    pub(crate) fn of(tree: &Tree, rule: &str) -> Result<Self> {
        let path = format!("xtask/exceptions/{rule}.txt");
        let text = tree.texts.iter().find(|text| text.path == path);
        Self::parse(&path, &text.with_context(|| format!("{path} is missing"))?.text)
    }

    fn parse(path: &str, text: &str) -> Result<Self> {
        let mut list =
            Self { path: path.to_owned(), header: String::new(), allowed: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if line.starts_with('#') {
                list.header.push_str(line);
                list.header.push('\n');
                continue;
            }
            let (count, key) = line.split_once(' ').with_context(|| format!("{path}: {line}"))?;
            let count = count.parse().with_context(|| format!("{path}: {line}"))?;
            list.allowed.insert(key.to_owned(), count);
        }
        Ok(list)
    }

    /// The keys of the list, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.allowed.keys().map(String::as_str)
    }

    /// The breaches that the list does not cover, and the lines of the list that are too high.
    /// With `tree.shrink` those lines are lowered in the file instead.
    pub(crate) fn judge(&self, tree: &Tree, breaches: Vec<Breach>) -> Result<Vec<Violation>> {
        let left: BTreeMap<&str, usize> =
            breaches.iter().map(|breach| (breach.key.as_str(), breach.count)).collect();
        let now = |key: &str| left.get(key).copied().unwrap_or(0);
        let slack: Vec<_> = self.allowed.iter().filter(|(key, n)| now(key) < **n).collect();
        let mut found = Vec::new();
        if tree.shrink && !slack.is_empty() {
            let path = tree.workspace.root.join(&self.path);
            std::fs::write(&path, self.shrunk(&now)).with_context(|| format!("write {path:?}"))?;
        } else {
            found.extend(slack.into_iter().map(|(key, allowed)| {
                let what = format!("`{allowed} {key}` is too high: {} left", now(key));
                Violation::new(&self.path, what)
            }));
        }
        let uncovered =
            |breach: &Breach| breach.count > self.allowed.get(&breach.key).copied().unwrap_or(0);
        found.extend(breaches.into_iter().filter(uncovered).map(|breach| breach.violation));
        Ok(found)
    }

    fn shrunk(&self, now: &dyn Fn(&str) -> usize) -> String {
        let mut text = self.header.clone();
        for (key, allowed) in &self.allowed {
            let count = now(key).min(*allowed);
            if count > 0 {
                let _ = writeln!(text, "{count} {key}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::workspace;

    fn breach(key: &str, count: usize) -> Breach {
        Breach { key: key.to_owned(), count, violation: Violation::new(key, "is broken") }
    }

    fn judged(list: &str, breaches: Vec<Breach>) -> Vec<String> {
        let workspace = workspace(Vec::new());
        let tree = Tree {
            workspace: &workspace,
            texts: Vec::new(),
            shrink: false,
            understands: |_| Ok(()),
        };
        let list = Exceptions::parse("list.txt", list).expect("the list is well formed");
        let found = list.judge(&tree, breaches).expect("nothing is written");
        found.into_iter().map(|violation| violation.place).collect()
    }

    #[test]
    fn what_is_listed_passes_and_more_does_not() {
        assert_eq!(judged("# why\n2 a.md\n", vec![breach("a.md", 2)]), Vec::<String>::new());
        assert_eq!(judged("2 a.md\n", vec![breach("a.md", 3)]), ["a.md"]);
        assert_eq!(judged("", vec![breach("b.md", 1)]), ["b.md"]);
    }

    #[test]
    fn a_line_that_is_no_longer_needed_is_named() {
        assert_eq!(judged("2 a.md\n", vec![breach("a.md", 1)]), ["list.txt"]);
        assert_eq!(judged("2 a.md\n", Vec::new()), ["list.txt"]);
    }

    #[test]
    fn a_shrunk_list_never_grows() {
        let list = Exceptions::parse("a.txt", "# why\n2 a\n3 b c\n1 d\n").expect("well formed");
        let now =
            |key: &str| [("a", 5), ("b c", 1)].iter().find(|(k, _)| *k == key).map_or(0, |k| k.1);
        assert_eq!(list.shrunk(&now), "# why\n2 a\n1 b c\n");
    }

    #[test]
    fn a_line_without_a_number_is_an_error() {
        assert!(Exceptions::parse("a.txt", "a.md\n").is_err());
        assert!(Exceptions::parse("a.txt", "x a.md\n").is_err());
    }
}
