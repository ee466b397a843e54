//! The repository speaks of itself alone: nothing in it names one particular machine.

use super::tree::{Text, Violation};

/// Folders of a particular machine. They are assembled so that this file does not break its rule.
const FOLDERS: &[&str] =
    &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/"), concat!("/", "Users/")];

/// Settings that point a package client at a registry other than the public one.
const REGISTRIES: &[&str] = &[
    concat!("index", "-url"),
    concat!("find", "-links"),
    concat!("replace", "-with"),
    concat!("[source", "."),
    concat!("[regis", "tries"),
    concat!(".inter", "nal/"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Absolute folders, and registries of packages other than the public ones.
pub(crate) fn machine(text: &Text) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in text.text.lines().enumerate() {
        let place = || format!("{}:{}", text.path, index + 1);
        if let Some(folder) = FOLDERS.iter().find(|folder| has_folder(line, folder)) {
            found.push(Violation::new(place(), format!("names the folder {folder}")));
        }
        if let Some(setting) = REGISTRIES.iter().find(|setting| line.contains(**setting)) {
            found.push(Violation::new(place(), format!("sets a registry: {setting}")));
        }
        if text.path.ends_with("Cargo.lock") && is_foreign_source(line) {
            found.push(Violation::new(place(), "locks a crate that is not from crates.io"));
        }
    }
    found
}

/// True where `folder` begins an absolute path, not where it continues another one or a URL.
fn has_folder(line: &str, folder: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | '~');
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(continues))
}

fn is_foreign_source(line: &str) -> bool {
    line.strip_prefix("source = ").is_some_and(|source| source.trim_matches('"') != CRATES_IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, line: &str) -> usize {
        machine(&Text::new(path, line)).len()
    }

    #[test]
    fn absolute_folders_are_found_and_relative_ones_are_not() {
        assert_eq!(found("a.md", concat!("see `/", "root/data`")), 1);
        assert_eq!(found("a.md", concat!("cd /", "home/me")), 1);
        assert_eq!(found("a.md", concat!("https://example.org/", "work/a ../", "work/b")), 0);
    }

    #[test]
    fn other_registries_are_found() {
        assert_eq!(found("requirements.txt", concat!("--extra-index", "-url https://a.b")), 1);
        assert_eq!(found(".cargo/config.toml", concat!("[source", ".a]")), 1);
        assert_eq!(found("requirements.txt", "torch==2.8.0"), 0);
    }

    #[test]
    fn a_lock_file_names_crates_io_alone() {
        assert_eq!(found("Cargo.lock", &format!("source = \"{CRATES_IO}\"")), 0);
        assert_eq!(found("Cargo.lock", "source = \"git+https://github.com/a/b#1\""), 1);
    }
}
