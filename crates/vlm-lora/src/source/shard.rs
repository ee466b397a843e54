//! One safetensors file, of which one tensor at a time is mapped into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};

use super::header::{self, Entry, PREFIX};
use super::limits::Limits;
use crate::error::Error;

/// A file whose header was read and checked.
pub(super) struct Shard {
    path: PathBuf,
    file: File,
    entries: BTreeMap<String, Entry>,
}

impl Shard {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// [`Error::Cifake`] and [`Error::Read`], [`Error::Weights`], [`Error::Limit`].
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let broken =
            |reason: &str| Error::Weights { path: path.to_owned(), reason: reason.to_owned() };
        let mut file = cifake::file::open(path)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut prefix = [0; PREFIX as usize];
        if len < PREFIX {
            return Err(broken("it is shorter than 8 bytes"));
        }
        file.read_exact(&mut prefix).map_err(failed)?;
        let header_len = u64::from_le_bytes(prefix);
        Limits::check("the header of a weight file", header_len, limits.max_header_bytes)?;
        if header_len > len - PREFIX {
            return Err(broken("its header is cut short"));
        }
        let mut json = Vec::new();
        (&mut file).take(header_len).read_to_end(&mut json).map_err(failed)?;
        if json.len() as u64 != header_len {
            return Err(broken("its header is cut short"));
        }
        let entries = header::parse(path, &json, len, limits)?;
        Ok(Self { path: path.to_owned(), file, entries })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// The bytes of one tensor; they leave memory again with the result.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Weights`] where the file has become shorter.
    pub(super) fn bytes(&self, entry: &Entry) -> Result<Option<Mmap>, Error> {
        let failed = |source| Error::Read { path: self.path.clone(), source };
        if entry.len == 0 {
            return Ok(None);
        }
        if self.file.metadata().map_err(failed)?.len() < entry.start + entry.len as u64 {
            let reason = "it has become shorter since it was opened".to_owned();
            return Err(Error::Weights { path: self.path.clone(), reason });
        }
        let mut options = MmapOptions::new();
        options.offset(entry.start).len(entry.len);
        // SAFETY: the map is read-only and lives for the conversion of one tensor; that another
        // process changes or cuts the file meanwhile is the one case no reader of maps can exclude.
        let map = unsafe { options.map(&self.file) }.map_err(failed)?;
        Ok(Some(map))
    }
}
