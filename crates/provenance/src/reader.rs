//! The way in: bytes or a file to its declarations.

use std::fs::File;
use std::io::Read;
use std::path::Path;
#[cfg(feature = "c2pa")]
use std::time::SystemTime;

use crate::claim::{Claim, Kind, name};
use crate::container;
use crate::contents::{Contents, Manifest};
use crate::credentials::Credentials;
use crate::declarations::Declarations;
use crate::error::Error;
use crate::format::Format;
#[cfg(feature = "c2pa")]
use crate::manifest::{self, Terms};
use crate::source;

/// Reads what a picture declares.
///
/// Memory stays below a fixed limit, whatever the bytes are: some 16 MiB of text, 4 MiB a block, and
/// 16 million pixels of a PNG whose alpha channel begins like a text.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    #[cfg(feature = "c2pa")]
    terms: Terms,
}

/// Reads what `bytes`, the whole file of a picture, declare.
///
/// # Errors
///
/// If the bytes begin like no picture.
pub fn read(bytes: &[u8]) -> Result<Declarations, Error> {
    Reader::default().read(bytes)
}

/// Reads what the picture at `path` declares, if its file has at most `max_bytes` bytes.
///
/// # Errors
///
/// If the file cannot be read, is longer, or begins like no picture.
pub fn read_file(path: &Path, max_bytes: u64) -> Result<Declarations, Error> {
    Reader::default().read_file(path, max_bytes)
}

impl Reader {
    /// Trusts the signers whose certificates lead to one of the roots `pem`, a list of certificates as PEM.
    /// By default nobody is trusted.
    ///
    /// # Errors
    ///
    /// If `pem` holds no certificate, or a block of something else.
    #[cfg(feature = "c2pa")]
    pub fn with_trust_list(mut self, pem: impl Into<String>) -> Result<Self, Error> {
        let pem = pem.into();
        if !manifest::are_certificates(&pem) {
            return Err(Error::TrustList);
        }
        self.terms.trust_list = Some(pem);
        Ok(self)
    }

    /// Judges certificates at `time`, not now, where no trusted time stamp dates their signature.
    #[cfg(feature = "c2pa")]
    #[must_use]
    pub fn with_clock(mut self, time: SystemTime) -> Self {
        self.terms.clock = Some(time);
        self
    }

    /// Reads what `bytes`, the whole file of a picture, declare.
    ///
    /// # Errors
    ///
    /// If the bytes begin like no picture.
    pub fn read(&self, bytes: &[u8]) -> Result<Declarations, Error> {
        let format = Format::of(bytes).ok_or(Error::Format)?;
        let contents = container::contents(format, bytes);
        let (credentials, mut claims) = match contents.manifest {
            Manifest::There => self.manifests(format, bytes),
            Manifest::Refused(reason) => {
                (Credentials::Unreadable { reason: reason.to_owned() }, Vec::new())
            }
            Manifest::Absent => (elsewhere(&contents), Vec::new()),
        };
        claims.extend(source::claims(&contents));
        Ok(Declarations { format, claims, credentials, damage: contents.damage })
    }

    /// Reads what the picture at `path` declares, if its file has at most `max_bytes` bytes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is longer, or begins like no picture.
    pub fn read_file(&self, path: &Path, max_bytes: u64) -> Result<Declarations, Error> {
        let mut bytes = Vec::new();
        // The length is counted while reading: a file may grow, and a pipe has none.
        File::open(path)?.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).is_ok_and(|n_bytes| n_bytes > max_bytes) {
            return Err(Error::TooLarge { max_bytes });
        }
        self.read(&bytes)
    }

    /// The manifests of a file and what they say.
    #[cfg(feature = "c2pa")]
    fn manifests(&self, format: Format, bytes: &[u8]) -> (Credentials, Vec<Claim>) {
        manifest::check(format, bytes, &self.terms)
    }

    #[cfg(not(feature = "c2pa"))]
    fn manifests(&self, _: Format, _: &[u8]) -> (Credentials, Vec<Claim>) {
        (Credentials::NotRead, Vec::new())
    }
}

/// The address of a manifest that stands elsewhere.
fn elsewhere(contents: &Contents) -> Credentials {
    let addresses = contents.at(Kind::Xmp, "provenance");
    let url = addresses.filter(|address| address.starts_with("http")).find_map(name);
    url.map_or(Credentials::None, |url| Credentials::Remote { url })
}
