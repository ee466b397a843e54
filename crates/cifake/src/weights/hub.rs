//! Weight files from a model hub with Hugging Face's addresses, kept in a folder.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Proxy;

use super::hex;
use crate::{Error, file};

/// How long a connection may take, and each read from it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many bytes are read at once.
const CHUNK: usize = 1 << 16;

/// Downloads files of one revision of a repository, each once.
///
/// ```no_run
/// # fn main() -> Result<(), cifake::Error> {
/// use cifake::weights::Hub;
/// let hub = Hub::new("4c1a8e0e6f0e4b2f9a6f5d1f2c3b4a5968778695", "weights".as_ref())?;
/// let path = hub.fetch("timm/tiny_vit_5m_224.dist_in22k", "model.safetensors", None)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Hub {
    endpoint: String,
    revision: String,
    folder: PathBuf,
    offline: bool,
    max_bytes: u64,
    proxy: Option<Proxy>,
}

/// Why a file could not be had from a hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A revision that is no commit, so that what it holds may change.
    #[error("`{revision}` is no pinned revision; give a commit of 40 hexadecimal digits")]
    RevisionNotPinned {
        /// The revision as it was given.
        revision: String,
    },
    /// A name that no hub could mean.
    #[error(
        "`{name}` is no name on a hub; use letters, digits, `.`, `-`, `_` and `/` between them"
    )]
    HubName {
        /// The name as it was given.
        name: String,
    },
    /// A file that is not there while downloads are off.
    #[error("{} is not there and downloads are off; put {url} there", path.display())]
    Offline {
        /// Where the file is looked for.
        path: PathBuf,
        /// Where it can be had.
        url: String,
    },
    /// A download failed; nothing of it is left.
    #[error("cannot download {url}: {source}; try again, or put it at {}", path.display())]
    Download {
        /// The address.
        url: String,
        /// Where the file would have been kept.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file is another than the one that was asked for.
    #[error("{} has the SHA-256 {found}, not {expected}; do not use it", path.display())]
    HashMismatch {
        /// The file.
        path: PathBuf,
        /// The hash that was asked for.
        expected: String,
        /// The hash that was found.
        found: String,
    },
}

impl Error {
    /// The same error with the file, or the sample's name, that it is about.
    #[must_use]
    pub fn in_file(self, path: impl Into<PathBuf>) -> Self {
        Self::InFile { path: path.into(), source: Box::new(self) }
    }
}

impl Hub {
    /// Files of `revision`, a commit of 40 hexadecimal digits, from huggingface.co, kept in `folder`.
    ///
    /// # Errors
    /// [`HubError::RevisionNotPinned`] for a branch or a tag, whose content may change.
    pub fn new(revision: &str, folder: &Path) -> Result<Self, Error> {
        if revision.len() != 40 || !revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(HubError::RevisionNotPinned { revision: revision.to_owned() }.into());
        }
        Ok(Self {
            endpoint: "https://huggingface.co".to_owned(),
            revision: revision.to_owned(),
            folder: folder.to_owned(),
            offline: false,
            max_bytes: 4 << 30,
            proxy: None,
        })
    }

    /// The same from another hub, for instance `https://mirror.example.org`.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: &str) -> Self {
        self.endpoint = endpoint.trim_end_matches('/').to_owned();
        self
    }

    /// The same, but only with the files that are in the folder already.
    #[must_use]
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The same with another limit than 4 GiB a file.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// The same through a proxy, `http://host:port`; none is taken from the environment.
    ///
    /// # Errors
    /// [`HubError::HubName`] where that is no address.
    pub fn with_proxy(mut self, proxy: &str) -> Result<Self, Error> {
        let proxy = Proxy::new(proxy).map_err(|_| HubError::HubName { name: proxy.to_owned() })?;
        self.proxy = Some(proxy);
        Ok(self)
    }

    /// Where `file` of `repo` is or will be kept.
    ///
    /// # Errors
    /// [`HubError::HubName`] for a name that leads out of the folder or is no plain text.
    pub fn path(&self, repo: &str, file: &str) -> Result<PathBuf, Error> {
        for name in [repo, file] {
            if !name.split('/').all(is_plain) {
                return Err(HubError::HubName { name: name.to_owned() }.into());
            }
        }
        Ok(self.folder.join(repo.replace('/', "--")).join(&self.revision).join(file))
    }

    /// The path of `file` of `repo` (`owner/name`), after a download if it is not there yet.
    ///
    /// With `sha256`, 64 hexadecimal digits, a file that differs is downloaded again, and refused if
    /// the new one differs too.
    ///
    /// # Errors
    /// [`HubError::HubName`]; [`HubError::Offline`], which says what to put where; [`HubError::Download`];
    /// [`HubError::HashMismatch`]; [`Error::FileTooLarge`]; [`Error::Read`]; [`Error::Write`].
    pub fn fetch(&self, repo: &str, file: &str, sha256: Option<&str>) -> Result<PathBuf, Error> {
        let path = self.path(repo, file)?;
        let url = format!("{}/{repo}/resolve/{}/{file}", self.endpoint, self.revision);
        if path.is_file() {
            match self.verify(&path, sha256) {
                Err(Error::Hub(HubError::HashMismatch { .. })) if !self.offline => {}
                checked => return checked.map(|()| path),
            }
        }
        if self.offline {
            return Err(HubError::Offline { path, url }.into());
        }
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)
            .map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        self.download(&url, &path, sha256)?;
        Ok(path)
    }

    /// Compares the file at `path` with the hash that is expected of it.
    fn verify(&self, path: &Path, sha256: Option<&str>) -> Result<(), Error> {
        let Some(expected) = sha256 else {
            return Ok(());
        };
        let found = super::sha256_hex(&file::read_limited(path, self.max_bytes)?);
        compare(path, expected, found)
    }

    /// Downloads `url` to `path`, which appears only when it is whole and right.
    fn download(&self, url: &str, path: &Path, sha256: Option<&str>) -> Result<(), Error> {
        let mut failure = None;
        let written = file::write_atomic_with(path, |writer| {
            self.stream(url, path, sha256, writer).map_err(|error| {
                failure = Some(error);
                io::Error::other("the download failed")
            })
        });
        failure.map_or(written, Err)
    }

    /// Copies what stands at `url` to `writer` and checks its length and hash.
    fn stream(
        &self,
        url: &str,
        path: &Path,
        sha256: Option<&str>,
        writer: &mut dyn Write,
    ) -> Result<(), Error> {
        type Cause = Box<dyn std::error::Error + Send + Sync>;
        let failed = |source: Cause| {
            let (url, path) = (url.to_owned(), path.to_owned());
            Error::from(HubError::Download { url, path, source })
        };
        let too_large =
            |bytes| Error::FileTooLarge { path: url.into(), bytes, limit: self.max_bytes };
        let mut response = self.agent().get(url).call().map_err(|error| failed(error.into()))?;
        let announced = response.body().content_length();
        if let Some(bytes) = announced.filter(|bytes| *bytes > self.max_bytes) {
            return Err(too_large(bytes));
        }
        let mut body = response.body_mut().as_reader();
        let (mut hash, mut n_bytes, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
        loop {
            let read = body.read(&mut chunk).map_err(|error| failed(error.into()))?;
            if read == 0 {
                break;
            }
            n_bytes += read as u64;
            if n_bytes > self.max_bytes {
                return Err(too_large(n_bytes));
            }
            hash.update(&chunk[..read]);
            let unwritten = |source| Error::Write { path: path.to_owned(), source };
            writer.write_all(&chunk[..read]).map_err(unwritten)?;
        }
        if let Some(expected) = announced.filter(|expected| *expected != n_bytes) {
            return Err(failed(format!("it ended after {n_bytes} of {expected} bytes").into()));
        }
        sha256.map_or(Ok(()), |expected| compare(path, expected, hex(&hash.finalize())))
    }

    fn agent(&self) -> ureq::Agent {
        ureq::Agent::config_builder()
            .https_only(self.endpoint.starts_with("https://"))
            .proxy(self.proxy.clone())
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build()
            .new_agent()
    }
}

/// Whether `segment` is a file name of letters, digits, `.`, `-`, `_`, and no way upwards.
fn is_plain(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !segment.is_empty()
        && !segment.starts_with("..")
        && segment != "."
        && segment.bytes().all(plain)
}

fn compare(path: &Path, expected: &str, found: String) -> Result<(), Error> {
    if found.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let (path, expected) = (path.to_owned(), expected.to_owned());
    Err(HubError::HashMismatch { path, expected, found }.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
    const CONTENT: &[u8] = b"the weights";

    /// Answers one request with `response` and hands back the request's first line.
    fn serve_once(response: Vec<u8>) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the test connects");
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).expect("a request ends with an empty line");
                request.push(byte[0]);
            }
            // A client that gives up early closes the connection, which is no failure here.
            stream.write_all(&response).ok();
            String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned()
        });
        (format!("http://{address}"), server)
    }

    fn response(status: &str, announced: usize, content: &[u8]) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n"
        );
        [head.as_bytes(), content].concat()
    }

    fn hub(endpoint: &str, folder: &Path) -> Hub {
        Hub::new(REVISION, folder).expect("a pinned revision").with_endpoint(endpoint)
    }

    fn fetch(hub: &Hub, sha256: Option<&str>) -> Result<PathBuf, Error> {
        hub.fetch("owner/model", "sub/model.safetensors", sha256)
    }

    /// The answer to one fetch from a server that sends `response`, after which nothing may be left.
    fn refusal(response: Vec<u8>, sha256: Option<&str>, max_bytes: u64) -> Error {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (endpoint, server) = serve_once(response);
        let hub = hub(&endpoint, folder.path()).with_max_bytes(max_bytes);
        let error = fetch(&hub, sha256).expect_err("the answer is bad");
        server.join().expect("the server answered");
        let kept = folder.path().join("owner--model").join(REVISION).join("sub");
        assert_eq!(std::fs::read_dir(kept).expect("it was created").count(), 0);
        error
    }

    #[test]
    fn a_file_is_downloaded_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (endpoint, server) = serve_once(response("200 OK", CONTENT.len(), CONTENT));
        let hub = hub(&endpoint, folder.path());
        let hash = super::super::sha256_hex(CONTENT);
        let path = fetch(&hub, Some(&hash)).expect("the server has it");
        assert_eq!(std::fs::read(&path).expect("it was written"), CONTENT);
        let request = server.join().expect("the server answered");
        let expected =
            format!("GET /owner/model/resolve/{REVISION}/sub/model.safetensors HTTP/1.1");
        assert_eq!(request, expected);
        assert_eq!(fetch(&hub, Some(&hash)).expect("no server is needed"), path);
        assert_eq!(fetch(&hub.with_offline(true), None).expect("it is there"), path);
    }

    #[test]
    fn a_truncated_download_leaves_nothing() {
        let error = refusal(response("200 OK", CONTENT.len() + 5, CONTENT), None, 100);
        assert!(matches!(error, Error::Hub(HubError::Download { .. })), "{error}");
    }

    #[test]
    fn a_missing_file_is_an_error_with_its_address() {
        let error = refusal(response("404 Not Found", 0, b""), None, 100);
        assert!(matches!(error, Error::Hub(HubError::Download { .. })));
        let message = error.to_string();
        assert!(message.contains("404") && message.contains("owner/model/resolve"), "{message}");
    }

    #[test]
    fn a_wrong_hash_leaves_nothing() {
        let wrong = "0".repeat(64);
        let error = refusal(response("200 OK", CONTENT.len(), CONTENT), Some(&wrong), 100);
        assert!(matches!(error, Error::Hub(HubError::HashMismatch { .. })), "{error}");
    }

    #[test]
    fn a_file_over_the_limit_leaves_nothing() {
        for announced in ["Content-Length: 11\r\n", "Transfer-Encoding: chunked\r\n"] {
            let head = format!("HTTP/1.1 200 OK\r\n{announced}Connection: close\r\n\r\n");
            let body: &[u8] =
                if announced.starts_with('T') { b"b\r\nthe weights\r\n0\r\n\r\n" } else { CONTENT };
            let error = refusal([head.as_bytes(), body].concat(), None, 10);
            assert!(matches!(error, Error::FileTooLarge { bytes: 11, limit: 10, .. }), "{error}");
        }
    }

    #[test]
    fn offline_says_what_to_put_where() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let hub = hub("http://127.0.0.1:1", folder.path()).with_offline(true);
        let error = fetch(&hub, None).expect_err("nothing is there");
        assert!(matches!(error, Error::Hub(HubError::Offline { .. })));
        let path = hub.path("owner/model", "sub/model.safetensors").expect("plain names");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }

    #[test]
    fn a_branch_is_no_pinned_revision() {
        let refused = Hub::new("main", Path::new("."));
        assert!(matches!(refused, Err(Error::Hub(HubError::RevisionNotPinned { .. }))));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let hub = hub("http://127.0.0.1:1", Path::new("cache"));
        for name in ["../x", "a/../b", "/etc/passwd", "a//b", "", "a\\b", "a?b", "a/..", "%2e%2e/a"]
        {
            assert!(
                matches!(hub.path("a/b", name), Err(Error::Hub(HubError::HubName { .. }))),
                "{name}"
            );
            assert!(
                matches!(hub.path(name, "f"), Err(Error::Hub(HubError::HubName { .. }))),
                "{name}"
            );
        }
    }
}
