//! The built folder behind the plainest of servers, which counts what it is asked for.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that lives as long as the test's process.
pub(crate) struct Site {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Site {
    /// Serves the folder that `cargo xtask web` writes if it is not told otherwise.
    pub(crate) fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("web");
        assert!(folder.join("index.html").is_file(), "`cargo xtask web` comes first");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                let folder = folder.clone();
                // A browser may hold connections open without a word.
                std::thread::spawn(move || answer(stream, &folder));
            }
        });
        Self { address: format!("http://127.0.0.1:{port}/"), asked }
    }

    /// The address of the page.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Connections until now; each brings one file.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Answers one request; a browser that hangs up is none of the test's concern.
fn answer(mut stream: TcpStream, folder: &Path) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    let _ = lines.map_while(Result::ok).find(String::is_empty);
    let name = request.split(' ').nth(1)?.trim_start_matches('/');
    let name = if name.is_empty() { "index.html" } else { name };
    let (status, content) = match std::fs::read(folder.join(name)) {
        Ok(content) => ("200 OK", content),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let kind = match PathBuf::from(name).extension()?.to_str()? {
        "html" => "text/html",
        "css" => "text/css",
        "js" => "text/javascript",
        _ => "application/wasm",
    };
    let length = content.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").ok()?;
    stream.write_all(&content).ok()
}
