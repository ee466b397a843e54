//! Weight files from a model hub with Hugging Face's addresses, kept in a folder.

mod error;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Proxy;

use super::digest::hex;
use crate::{Error, file};

pub use error::HubError;

/// The longest wait for a connection, and for each read from it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of bytes that are read at once.
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

    /// The path at which `file` of `repo` is or will be kept.
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
mod tests;
