//! How a row was made.

use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::args::portable;

/// The command that made something, and the source code of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The command line, for a shell.
    pub(super) command: String,
    /// The commit of this repository, with `+` where files had changed; absent without git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
}

impl Source {
    /// This run.
    pub(super) fn of_this_run() -> Self {
        let arguments = std::env::args_os().skip(1);
        let words = arguments.map(|argument| quoted(&portable(Path::new(&argument))));
        let command = std::iter::once("cifake".to_owned()).chain(words).collect::<Vec<_>>();
        Self { command: command.join(" "), commit: commit() }
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

/// The commit of the repository that this program was built in.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        let output = git.arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let is_clean = changed.is_some_and(|files| files.is_empty());
    Some(if is_clean { commit } else { commit + "+" })
}

#[cfg(test)]
mod tests {
    use super::*;

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
