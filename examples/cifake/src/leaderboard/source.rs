//! The origin of a row.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::args::portable;

#[cfg(test)]
#[path = "../../build/commit.rs"]
mod commit;

/// The commit that was checked out when this program was built, or `unknown`.
const COMMIT: &str = env!("CIFAKE_COMMIT");

/// The command that made something, and the source code of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The command line, for a shell.
    pub(super) command: String,
    /// The commit that was checked out when the program was built, or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
}

impl Source {
    /// This run.
    pub(super) fn of_this_run() -> Self {
        let arguments = std::env::args_os().skip(1);
        let words = arguments.map(|argument| quoted(&portable(Path::new(&argument))));
        let command = std::iter::once("cifake".to_owned()).chain(words).collect::<Vec<_>>();
        Self { command: command.join(" "), commit: Some(COMMIT.to_owned()) }
    }
}

/// `word` as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+$".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Files of a git folder, a text each.
    fn written(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let file = root.join(name);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("it is writable");
            std::fs::write(file, text).expect("it is writable");
        }
    }

    #[test]
    fn the_commit_is_read_wherever_git_keeps_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        let of = |tree: &str| commit::checked_out(&root.join(tree));
        let watched = |tree: &str| {
            let name =
                |path: PathBuf| path.strip_prefix(root).expect("inside").display().to_string();
            of(tree).1.into_iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(of("main"), (None, Vec::new()));
        let [a, b] = ["a", "b"].map(|digit| digit.repeat(40));
        written(root, &[("main/.git/HEAD", &a)]);
        assert_eq!(of("main").0.as_ref(), Some(&a), "no branch");
        let packed = format!("# pack-refs with: peeled\n{b} refs/heads/x\n{a} refs/heads/a/x\n");
        written(
            root,
            &[("main/.git/HEAD", "ref: refs/heads/x\n"), ("main/.git/packed-refs", &packed)],
        );
        assert_eq!(of("main").0.as_ref(), Some(&b), "in a list");
        assert_eq!(watched("main"), ["main/.git/HEAD", "main/.git", "main/.git/packed-refs"]);
        written(root, &[("main/.git/refs/heads/x", &format!("{a}\n"))]);
        assert_eq!(of("main").0.as_ref(), Some(&a), "in a file, which counts more");
        assert_eq!(watched("main"), ["main/.git/HEAD", "main/.git/refs/heads/x"]);
        written(
            root,
            &[
                ("linked/.git", "gitdir: ../main/.git/worktrees/linked\n"),
                ("main/.git/worktrees/linked/HEAD", "ref: refs/heads/x\n"),
                ("main/.git/worktrees/linked/commondir", "../..\n"),
            ],
        );
        assert_eq!(of("linked").0.as_ref(), Some(&a), "a linked working tree");
        assert!(
            of("linked").1.iter().all(|file| file.exists()),
            "what is missing is never unchanged"
        );
        written(root, &[("main/.git/HEAD", "no hash")]);
        assert_eq!(of("main").0, None);
    }

    #[test]
    fn a_run_names_the_commit_of_its_program() {
        let commit = Source::of_this_run().commit.expect("always");
        let is_hash = commit.len() >= 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
        assert!(is_hash || commit == "unknown", "{commit}");
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_change_it() {
        for (word, expected) in [
            ("--data", "--data"),
            ("$CIFAKE_SHARED/datasets/cifake", "$CIFAKE_SHARED/datasets/cifake"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("x;rm", "'x;rm'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
