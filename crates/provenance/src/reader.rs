//! The way in: bytes or a file to its declarations.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::claim::{Kind, name};
use crate::container;
use crate::contents::Contents;
use crate::credentials::Credentials;
use crate::declarations::Declarations;
use crate::error::Error;
use crate::format::Format;
use crate::source;

/// Reads what a picture declares.
///
/// Memory stays below a fixed limit, whatever the bytes are: some 16 MiB of text, 4 MiB a block, and
/// 16 million pixels of a PNG whose alpha channel begins like a text.
#[derive(Debug, Clone, Default)]
pub struct Reader {}

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
    /// Reads what `bytes`, the whole file of a picture, declare.
    ///
    /// # Errors
    ///
    /// If the bytes begin like no picture.
    pub fn read(&self, bytes: &[u8]) -> Result<Declarations, Error> {
        let format = Format::of(bytes).ok_or(Error::Format)?;
        let contents = container::contents(format, bytes);
        let claims = source::claims(&contents);
        let credentials = self.credentials(&contents);
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

    fn credentials(&self, contents: &Contents) -> Credentials {
        if contents.manifest {
            return Credentials::NotRead;
        }
        let addresses = contents.at(Kind::Xmp, "provenance");
        let url = addresses.filter(|address| address.starts_with("http")).find_map(name);
        url.map_or(Credentials::None, |url| Credentials::Remote { url })
    }
}
