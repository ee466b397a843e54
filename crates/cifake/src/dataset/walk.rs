//! Image files below a folder.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::DatasetError;
use crate::Error;

/// Folders within folders that are entered.
const MAX_DEPTH: usize = 32;
/// Extensions of the formats that are read.
const READ: [&str; 8] = ["bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "webp"];
/// Extensions of picture formats that are not read.
const UNREAD: [&str; 16] = [
    "arw", "avif", "cr2", "cr3", "dng", "heic", "heif", "hif", "jp2", "jxl", "nef", "orf", "psd",
    "svg", "tif", "tiff",
];

/// A file, or a file or folder that cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct FoundImage {
    /// The file's path.
    pub path: PathBuf,
    /// The obstacle to reading it, if there is one.
    pub error: Option<Error>,
}

/// The result of a search for image files.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ImageSearch {
    /// Image files by name, and in their places the folders that could not be searched.
    pub found: Vec<FoundImage>,
    /// Pictures in formats that are not read, such as HEIC, AVIF and TIFF.
    pub unread: Vec<PathBuf>,
}

impl ImageSearch {
    /// The files.
    ///
    /// # Errors
    ///
    /// The first error that was found.
    pub(super) fn into_files(self) -> Result<Vec<PathBuf>, Error> {
        let file = |found: FoundImage| found.error.map_or(Ok(found.path), Err);
        self.found.into_iter().map(file).collect()
    }

    pub(super) fn push(&mut self, path: PathBuf, error: Option<Error>) {
        self.found.push(FoundImage { path, error });
    }
}

/// A search that enters each folder once, so that links that lead in a circle end.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Real paths of the folders that were entered.
    entered: HashSet<PathBuf>,
    pub(super) search: ImageSearch,
}

impl Walk {
    /// A search that does not enter `folder`.
    pub(super) fn without(folder: &Path) -> Result<Self, Error> {
        let folder = folder.canonicalize().map_err(|source| unreadable(folder, source))?;
        Ok(Self { entered: HashSet::from([folder]), search: ImageSearch::default() })
    }

    /// Adds the images below `folder`, without hidden ones.
    pub(super) fn enter(&mut self, folder: &Path) {
        self.enter_at(folder, 0);
    }

    fn enter_at(&mut self, folder: &Path, depth: usize) {
        let entries = match folder.canonicalize() {
            Ok(real) if self.entered.contains(&real) => return,
            Ok(_) if depth > MAX_DEPTH => {
                Err(DatasetError::TooDeep { path: folder.to_owned(), limit: MAX_DEPTH }.into())
            }
            Ok(real) => {
                self.entered.insert(real);
                sorted_entries(folder)
            }
            Err(source) => Err(unreadable(folder, source)),
        };
        match entries {
            Ok(entries) => entries.into_iter().for_each(|path| self.visit(path, depth)),
            Err(error) => self.search.push(folder.to_owned(), Some(error)),
        }
    }

    fn visit(&mut self, path: PathBuf, depth: usize) {
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => self.enter_at(&path, depth + 1),
            Ok(metadata) if !metadata.is_file() => {}
            Ok(_) if is_image_file(&path) => self.search.push(path, None),
            Ok(_) if has_extension(&path, &UNREAD) => self.search.unread.push(path),
            Ok(_) => {}
            // Only a folder that may be listed and not entered gives this answer.
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                let error = unreadable(&path, source);
                self.search.push(path, Some(error));
            }
            // A link that leads nowhere or to itself.
            Err(_) => {}
        }
    }
}

/// The image files in the folder `path`, at any depth, sorted, without hidden ones.
///
/// A file is an image by its extension or, where that is of no known kind, by its content. A folder
/// that symbolic links lead to is entered once.
///
/// # Errors
///
/// [`Error::NoImages`]; the first folder that cannot be read or lies more than 32 folders deep. See
/// [`find_images`](crate::find_images) for a search that goes on.
pub fn image_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut walk = Walk::default();
    walk.enter(path);
    let files = walk.search.into_files()?;
    if files.is_empty() {
        return Err(Error::NoImages { path: path.to_owned() });
    }
    Ok(files)
}

/// The entries of the folder `path` that are not hidden, sorted by name.
pub(super) fn sorted_entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut entries = all_entries(path)?;
    entries.retain(|entry| !is_hidden(entry));
    Ok(entries)
}

/// The entries of the folder `path`, sorted by name.
pub(super) fn all_entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |source| unreadable(path, source);
    let entries = std::fs::read_dir(path).map_err(read)?;
    let entries: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries.map_err(read)?;
    entries.sort();
    Ok(entries)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Read { path: path.to_owned(), source }
}

/// Whether the file at `path` claims to be an image by its extension, or is one by its first bytes.
#[must_use]
pub fn is_image_file(path: &Path) -> bool {
    if has_extension(path, &READ) {
        return true;
    }
    let mut head = Vec::new();
    let is_read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut head)).is_ok();
    is_read && crate::image::is_known_format(&head)
}

/// Whether a file claims to be an image by its name.
#[cfg(feature = "zip")]
pub(super) fn is_image_name(name: &str) -> bool {
    has_extension(Path::new(name), &READ)
}

fn has_extension(path: &Path, known: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    known.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// `path` itself if it is a file with `extension`, or the files with it in the folder, sorted.
pub(super) fn files_with_extension(path: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let has_extension =
        |path: &Path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
    if path.is_file() {
        return Ok(if has_extension(path) { vec![path.to_owned()] } else { vec![] });
    }
    let entries = sorted_entries(path)?;
    Ok(entries.into_iter().filter(|path| has_extension(path) && path.is_file()).collect())
}
