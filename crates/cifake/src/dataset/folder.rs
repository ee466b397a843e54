//! Pictures in class folders.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Class, Dataset, Sample, Split, require_samples};
use crate::image::DecodeLimits;
use crate::{Error, Label};

/// Folders within folders that are entered; deeper ones are none that a person made.
const MAX_DEPTH: usize = 32;

/// Pictures in the folders `REAL` and `FAKE`, at any depth, sorted by name.
#[derive(Debug)]
pub struct ImageFolder {
    samples: Vec<Sample>,
    paths: Vec<PathBuf>,
}

impl ImageFolder {
    /// The pictures of `path/{REAL,FAKE}` and of `path/{train,validation,test}/{REAL,FAKE}`, of `split` alone
    /// if one is given; names in any case. Where `path` has no folder of a split, its pictures are
    /// taken for whatever split is asked for.
    ///
    /// Hidden files and files that are no images are passed over; a folder that a symbolic link
    /// leads to is entered once. Fails if there is no picture.
    pub fn open(path: &Path, split: Option<Split>) -> Result<Self, Error> {
        let mut found = Self { samples: Vec::new(), paths: Vec::new() };
        let mut has_splits = false;
        for folder in sorted_entries(path)? {
            let Some(of) = folder_name(&folder).and_then(|name| Split::from_name(&name)) else {
                continue;
            };
            has_splits = true;
            if split.is_none_or(|wanted| wanted == of) {
                found.add_labels(path, &folder, Some(of))?;
            }
        }
        if !has_splits {
            found.add_labels(path, path, split)?;
        }
        require_samples(path, split, &found.samples)?;
        Ok(found)
    }

    /// Adds the pictures of `folder/{REAL,FAKE}`, named from `root` on.
    fn add_labels(
        &mut self,
        root: &Path,
        folder: &Path,
        split: Option<Split>,
    ) -> Result<(), Error> {
        for labelled in sorted_entries(folder)? {
            let Some(label) = folder_name(&labelled).and_then(|name| Label::from_name(&name))
            else {
                continue;
            };
            let mut files = Vec::new();
            // A link back to the whole data set would bring the other label's pictures in.
            let read = |source| Error::Read { path: root.to_owned(), source };
            let mut entered = HashSet::from([root.canonicalize().map_err(read)?]);
            collect_images(&labelled, 0, &mut entered, &mut files)?;
            for path in files {
                let id = id_of(root, &path);
                let class = Class::from_file_name(id.rsplit('/').next().unwrap_or(&id));
                self.samples.push(Sample { class, split, ..Sample::new(id, label) });
                self.paths.push(path);
            }
        }
        Ok(())
    }

    /// Where picture `index` stands.
    ///
    /// # Panics
    /// If there is no sample `index`.
    #[must_use]
    pub fn path(&self, index: usize) -> &Path {
        &self.paths[index]
    }
}

impl Dataset for ImageFolder {
    fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        let limit = DecodeLimits::default().max_file_bytes;
        Ok(Cow::Owned(crate::file::read_limited(&self.paths[index], limit)?))
    }
}

/// The image files in the folder `path`, at any depth, sorted, without hidden ones.
///
/// A file is an image by its extension or, where that is of no known kind, by its content. Fails
/// if there is none.
pub fn image_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    collect_images(path, 0, &mut HashSet::new(), &mut files)?;
    if files.is_empty() {
        return Err(Error::NoImages { path: path.to_owned() });
    }
    Ok(files)
}

/// Whether `path` holds folders `REAL` or `FAKE`, or folders of splits that do.
pub(super) fn has_label_folders(path: &Path) -> Result<bool, Error> {
    for folder in sorted_entries(path)? {
        let Some(name) = folder_name(&folder) else { continue };
        let labelled = Label::from_name(&name).is_some();
        if labelled || (Split::from_name(&name).is_some() && has_label_folders(&folder)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The entries of the folder `path` that are not hidden, sorted by name.
pub(super) fn sorted_entries(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(read)? {
        let entry = entry.map_err(read)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

/// Adds the images below `folder`; `entered` are the real paths of the folders on the way and
/// before, so that links that lead in a circle end.
fn collect_images(
    folder: &Path,
    depth: usize,
    entered: &mut HashSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), Error> {
    let read = |source| Error::Read { path: folder.to_owned(), source };
    if depth > MAX_DEPTH || !entered.insert(folder.canonicalize().map_err(read)?) {
        return Ok(());
    }
    for path in sorted_entries(folder)? {
        // A link that leads nowhere has no metadata and is passed over.
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => collect_images(&path, depth + 1, entered, files)?,
            Ok(metadata) if metadata.is_file() && is_image(&path) => files.push(path),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a file claims to be an image by its extension, or is one by its first bytes.
fn is_image(path: &Path) -> bool {
    const EXTENSIONS: [&str; 8] = ["bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "webp"];
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
        return true;
    }
    let mut head = Vec::new();
    let is_read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut head)).is_ok();
    is_read && crate::image::is_known_format(&head)
}

/// The name of `path` if it is a folder.
fn folder_name(path: &Path) -> Option<String> {
    path.is_dir().then(|| path.file_name()?.to_str().map(str::to_owned)).flatten()
}

/// The path of a file from `root` on, with `/` between folders.
fn id_of(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts = relative.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}
