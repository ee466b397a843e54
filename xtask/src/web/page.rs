//! The page's own files: those of `cifake serve`, with another backend.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::folder::files;

/// The page of the server, and the files that take the place of those of the same name.
const PAGE: &str = "crates/serve/page";
const OWN: &str = "examples/web/page";

/// The tag behind which the policy stands, since no server of ours sends it.
const FIRST: &str = "<meta charset=\"utf-8\">";
/// The page loads its own files, and may send nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      worker-src 'self'; connect-src 'none'; form-action 'none'; base-uri 'none'";

/// Writes the page into `out`.
pub(super) fn copy(root: &Path, out: &Path) -> Result<()> {
    for folder in [PAGE, OWN] {
        for file in files(&root.join(folder))? {
            let to = out.join(file.file_name().context("a file has a name")?);
            let text = std::fs::read_to_string(&file)?;
            let text = if to.ends_with("index.html") { guarded(&text)? } else { text };
            std::fs::write(&to, text).with_context(|| format!("write {}", to.display()))?;
        }
    }
    Ok(())
}

/// The page's HTML with its content security policy.
fn guarded(html: &str) -> Result<String> {
    ensure!(html.matches(FIRST).count() == 1, "{PAGE}/index.html has no single `{FIRST}`");
    let policy = format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">");
    Ok(html.replace(FIRST, &format!("{FIRST}\n{policy}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_stands_before_anything_that_loads() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let out = tempfile::tempdir().expect("a temporary folder can be made");
        copy(&root, out.path()).expect("the repository holds the page");
        let read = |name| std::fs::read_to_string(out.path().join(name)).expect("it was copied");
        let html = read("index.html");
        let policy = html.find(POLICY).expect("it has a policy");
        assert!(html.find("<link").is_some_and(|link| policy < link));
        assert!(
            read("backend.js").contains("new Worker") && read("page.js").contains("backend.js")
        );
    }

    #[test]
    fn a_page_without_the_tag_is_refused() {
        assert!(guarded("<html></html>").is_err());
    }
}
