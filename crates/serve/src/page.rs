//! The page for people: its files are within the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;

/// The page loads nothing from elsewhere, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page: its path, its media type, its content.
pub(crate) type PageFile = (&'static str, &'static str, &'static str);

/// The files of the page. Each is asked for by its name, beside the page itself.
pub(crate) const FILES: &[PageFile] = &[
    ("/", HTML, include_str!("../page/index.html")),
    ("/page.css", CSS, include_str!("../page/page.css")),
    ("/answer.js", SCRIPT, include_str!("../page/answer.js")),
    ("/backend.js", SCRIPT, include_str!("../page/backend.js")),
    ("/card.js", SCRIPT, include_str!("../page/card.js")),
    ("/dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("/evidence.js", SCRIPT, include_str!("../page/evidence.js")),
    ("/figure.js", SCRIPT, include_str!("../page/figure.js")),
    ("/files.js", SCRIPT, include_str!("../page/files.js")),
    ("/page.js", SCRIPT, include_str!("../page/page.js")),
    ("/report.js", SCRIPT, include_str!("../page/report.js")),
    ("/send.js", SCRIPT, include_str!("../page/send.js")),
    ("/words.js", SCRIPT, include_str!("../page/words.js")),
];

/// Answers with a file of the page.
pub(crate) fn page(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        // The next version of the program has another page at the same address.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, content)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let entries = std::fs::read_dir(folder).expect("the page has a folder");
        let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut found: Vec<String> =
            entries.map(|entry| format!("/{}", name(entry.expect("it can be listed")))).collect();
        found.sort_unstable();
        let mut served: Vec<&str> = FILES.iter().map(|(path, ..)| *path).collect();
        served[0] = "/index.html";
        served.sort_unstable();
        assert_eq!(found, served);
    }
}
