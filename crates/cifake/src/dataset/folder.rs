//! Pictures in class folders.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::error::DatasetError;
use super::sample::require_samples;
use super::walk::{Walk, sorted_entries};
use super::{Class, Dataset, LabelNames, Sample, Split};
use crate::image::DecodeLimits;
use crate::text::path_text;
use crate::{Error, Label};

/// Pictures in the folders of two labels, at any depth, sorted by name.
#[derive(Debug)]
pub struct ImageFolder {
    pub(super) samples: Vec<Sample>,
    paths: Vec<PathBuf>,
}

impl ImageFolder {
    /// The pictures of `path/LABEL` and of `path/SPLIT/LABEL`, of `split` alone if one is given.
    ///
    /// `names` says which folders hold which label; a folder of a split is `train` or `training`,
    /// `validation`, `val` or `valid`, `test` or `testing`; all in any case. If `path` has no
    /// folder of a split, its pictures are taken for whatever split is asked for. Hidden files and
    /// files that are no images are passed over; a folder that a symbolic link leads to is entered
    /// once.
    ///
    /// # Errors
    ///
    /// [`DatasetError::OneClass`](crate::DatasetError::OneClass) where a label has no folder while other folders have unknown names; no
    /// picture of `split`; a folder that cannot be read.
    pub fn open(path: &Path, split: Option<Split>, names: &LabelNames) -> Result<Self, Error> {
        let (mut found, mut others) = (Self::empty(), Vec::new());
        let mut has_splits = false;
        for folder in sorted_entries(path)? {
            let Some(of) = folder_name(&folder).and_then(|name| Split::from_name(&name)) else {
                continue;
            };
            has_splits = true;
            if split.is_none_or(|wanted| wanted == of) {
                others.extend(found.add_labels(path, &folder, Some(of), names)?);
            }
        }
        if !has_splits {
            others = found.add_labels(path, path, split, names)?;
        }
        require_samples(path, split, &found.samples)?;
        require_both(path, &found.samples, &others)?;
        Ok(found)
    }

    /// No picture yet.
    pub(super) fn empty() -> Self {
        Self { samples: Vec::new(), paths: Vec::new() }
    }

    /// Adds the picture in the file at `path`.
    pub(super) fn push(&mut self, path: PathBuf, sample: Sample) {
        self.samples.push(sample);
        self.paths.push(path);
    }

    /// Adds the pictures of `folder/LABEL`, named from `root` on; returns the names of the other
    /// folders.
    fn add_labels(
        &mut self,
        root: &Path,
        folder: &Path,
        split: Option<Split>,
        names: &LabelNames,
    ) -> Result<Vec<String>, Error> {
        let mut others = Vec::new();
        for labelled in sorted_entries(folder)? {
            let Some(name) = folder_name(&labelled) else { continue };
            let Some(label) = names.label(&name) else {
                others.push(name);
                continue;
            };
            // A link back to the whole data set would bring the other label's pictures in.
            let mut walk = Walk::without(root)?;
            walk.enter(&labelled);
            for path in walk.search.into_files()? {
                let id = id_of(root, &path);
                let class = Class::from_file_name(id.rsplit('/').next().unwrap_or(&id));
                self.push(path, Sample { class, split, ..Sample::new(id, label) });
            }
        }
        Ok(others)
    }

    /// The path of picture `index`.
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
        let limit = DecodeLimits::for_own_files().max_file_bytes;
        Ok(Cow::Owned(crate::file::read_limited(&self.paths[index], limit)?))
    }
}

/// Whether `path` holds folders of labels, or folders of splits that do.
pub(super) fn has_label_folders(path: &Path, names: &LabelNames) -> Result<bool, Error> {
    for folder in sorted_entries(path)? {
        let Some(name) = folder_name(&folder) else { continue };
        let is_split = Split::from_name(&name).is_some();
        if names.label(&name).is_some() || (is_split && has_label_folders(&folder, names)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names of the folders in `path`, or nothing where it cannot be read.
pub(super) fn folder_names(path: &Path) -> Vec<String> {
    let entries = sorted_entries(path).unwrap_or_default();
    entries.iter().filter_map(|entry| folder_name(entry)).collect()
}

/// Refuses samples of one label where one of `others` may hold the other label.
pub(super) fn require_both(
    path: &Path,
    samples: &[Sample],
    others: &[String],
) -> Result<(), Error> {
    let is_there = |label: Label| samples.iter().any(|sample| sample.label == label);
    match Label::ALL.into_iter().find(|&label| !is_there(label)) {
        Some(missing) if !others.is_empty() => {
            let (path, folders) = (path.to_owned(), others.to_vec());
            Err(DatasetError::OneClass { path, missing, folders }.into())
        }
        _ => Ok(()),
    }
}

/// The name of `path` if it is a folder.
fn folder_name(path: &Path) -> Option<String> {
    path.is_dir().then(|| path.file_name()?.to_str().map(str::to_owned)).flatten()
}

/// The path of a file from `root` on, with `/` between folders.
fn id_of(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts = relative.components().map(|part| path_text(part.as_os_str().as_ref()));
    parts.collect::<Vec<_>>().join("/")
}
