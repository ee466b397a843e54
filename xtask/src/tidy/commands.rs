//! Commands of the documentation: the part that can be checked before anything is built.

use anyhow::Result;

use super::tree::{Tree, Violation};
use crate::bench::CONFIGS;
use crate::commands::{Line, config, lines};

/// Commands that name a program, package or task of `cargo xtask` that does not exist.
pub(crate) fn commands(tree: &Tree) -> Result<Vec<Violation>> {
    let markdown = tree.texts.iter().filter(|text| text.path.ends_with(".md"));
    let lines = markdown.flat_map(|text| lines(&text.path, &text.text));
    Ok(lines.filter_map(|line| wrong(&line, tree)).collect())
}

fn wrong(line: &Line, tree: &Tree) -> Option<Violation> {
    let checked = match line.words.split_at_checked(2) {
        Some((task, words)) if task == ["cargo", "xtask"] => (tree.understands)(words),
        _ => line.call(tree.workspace).map(|_| ()),
    };
    let config = config(&line.words).map(|name| format!("{CONFIGS}/{name}.toml"));
    let missing = config.filter(|path| tree.texts.iter().all(|text| text.path != *path));
    let missing = missing.map(|path| format!("there is no {path}"));
    checked.err().or(missing).map(|what| Violation::new(&line.place, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::workspace;

    #[test]
    fn tasks_and_programs_that_do_not_exist_are_found() {
        let block = "```sh\ncargo xtask tidy\ncargo xtask tydy\ncargo xtask bench fast\ncargo run\n\
                     cargo test --workspace\n```\n";
        let workspace = workspace(Vec::new());
        let understands = |words: &[String]| match words[0].as_str() {
            "tidy" | "bench" => Ok(()),
            task => Err(format!("no task {task}")),
        };
        let tree = Tree { workspace: &workspace, texts: Vec::new(), shrink: false, understands };
        let found = lines("a.md", block);
        let places: Vec<String> =
            found.iter().filter_map(|line| Some(wrong(line, &tree)?.place)).collect();
        assert_eq!(places, ["a.md:3", "a.md:4", "a.md:5"], "{places:?}");
    }
}
