//! The commit that is checked out, read from git's own files: git need not be installed.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// The commit that is checked out in the working tree at `root`, if it is one, and the files and folders that
/// change with it. Changes that are not committed do not show.
pub(crate) fn checked_out(root: &Path) -> (Option<String>, Vec<PathBuf>) {
    let dot_git = root.join(".git");
    // In a linked working tree, a file says where git keeps its own.
    let own = match read_to_string(&dot_git) {
        Ok(text) => root.join(text.trim().trim_start_matches("gitdir:").trim()),
        Err(_) => dot_git,
    };
    let shared = match read_to_string(own.join("commondir")) {
        Ok(text) => own.join(text.trim()),
        Err(_) => own.clone(),
    };
    let head = own.join("HEAD");
    let Ok(text) = read_to_string(&head) else { return (None, Vec::new()) };
    let mut files = vec![head];
    let commit = match text.trim().strip_prefix("ref:") {
        None => hash(&text),
        Some(branch) => of_branch(branch.trim(), &shared, &mut files),
    };
    (commit, files)
}

/// The commit of `branch`, such as `refs/heads/main`: in a file of its own or in a list of many.
fn of_branch(branch: &str, shared: &Path, files: &mut Vec<PathBuf>) -> Option<String> {
    let file = shared.join(branch);
    let loose = read_to_string(&file).ok();
    // A file that is not there yet changes its folder.
    let watched = file.ancestors().skip(usize::from(loose.is_none())).find(|path| path.exists());
    files.extend(watched.map(Path::to_owned));
    if let Some(text) = loose {
        return hash(&text);
    }
    let packed = shared.join("packed-refs");
    let text = read_to_string(&packed).ok()?;
    files.push(packed);
    text.lines().find_map(|line| hash(line.strip_suffix(branch)?.strip_suffix(' ')?))
}

/// `text` if it is a hash: SHA-1 or SHA-256 in hexadecimal digits.
fn hash(text: &str) -> Option<String> {
    let text = text.trim();
    let is_hash = [40, 64].contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit());
    is_hash.then(|| text.to_owned())
}
