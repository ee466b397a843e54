//! Labelled pictures: class folders, the CIFAKE zips, collections of generators, parquet files.

mod class;
#[cfg(feature = "zip")]
mod collection;
mod folder;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(feature = "parquet")]
mod parquet_rows;
#[cfg(feature = "zip")]
mod zip;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Label};

pub use class::Class;
pub use folder::{ImageFolder, image_files};
#[cfg(feature = "parquet")]
pub use parquet::{LabelOrder, ParquetDataset};
#[cfg(feature = "parquet")]
pub use parquet_file::{ParquetColumn, ParquetFile};
#[cfg(feature = "parquet")]
pub use parquet_rows::ParquetRows;
#[cfg(feature = "zip")]
pub use zip::ZipDataset;

/// The parts of a published data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What a detector may be trained on.
    Train,
    /// What chooses among detectors and settings, where a data set keeps such pictures apart.
    Validation,
    /// What it is measured on.
    Test,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// `"train"`, `"validation"` or `"test"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The split whose name is `name` in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|split| split.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is known of a picture without decoding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its name within the data set, with `/` between folders: `test/FAKE/0 (10).jpg`.
    pub id: String,
    /// What it is.
    pub label: Label,
    /// What it shows, where its file name follows CIFAKE's rule.
    pub class: Option<Class>,
    /// The split that it belongs to, where the data set says so.
    pub split: Option<Split>,
    /// The sample of another data set that it was made from, where the data set says so.
    pub source: Option<String>,
    /// The model that generated it, where the data set says so.
    pub generator: Option<String>,
    /// Where the data set has it from, where it says so.
    pub origin: Option<Origin>,
}

impl Sample {
    /// A sample of which no more is known than its name and its label.
    #[must_use]
    pub fn new(id: impl Into<String>, label: Label) -> Self {
        let id = id.into();
        Self { id, label, class: None, split: None, source: None, generator: None, origin: None }
    }
}

/// Where a collected picture comes from, and what it was before it was brought into the collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The repository or site that published it.
    pub publisher: String,
    /// The licence under which it was published, in words.
    pub licence: String,
    /// Its width when it was published, in pixels.
    pub width: u32,
    /// Its height when it was published, in pixels.
    pub height: u32,
    /// The file format in which it was published, such as `PNG`.
    pub format: String,
}

/// Labelled pictures in a fixed order.
pub trait Dataset: Send + Sync {
    /// What is known of every picture; the order is the same each time the data set is opened.
    fn samples(&self) -> &[Sample];

    /// The encoded picture `index`; errors name it.
    ///
    /// # Panics
    /// If there is no sample `index`.
    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error>;

    /// How many pictures there are.
    fn len(&self) -> usize {
        self.samples().len()
    }

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.samples().is_empty()
    }
}

/// The data set at `path`, of `split` alone if one is given.
///
/// `path` may be
/// - a folder with `REAL` and `FAKE` in any case, or with `train` and `test` that hold them,
/// - a zip archive of such folders, or a folder with such archives, as CIFAKE's four
///   (feature `zip`),
/// - a folder with `pictures.zip` and `manifest.csv`, which says what each picture is
///   (feature `zip`, see [`ZipDataset::open_collection`]),
/// - a parquet file, or a folder of them, alone or in `data/` (feature `parquet`), whose labels
///   have names.
///
/// Fails if it is none of these, or has no sample of `split`.
pub fn open_dataset(path: &Path, split: Option<Split>) -> Result<Box<dyn Dataset>, Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(read)?.is_dir() && folder::has_label_folders(path)? {
        return Ok(Box::new(ImageFolder::open(path, split)?));
    }
    #[cfg(feature = "zip")]
    if collection::is_collection(path) {
        return Ok(Box::new(ZipDataset::open_collection(path, split)?));
    }
    let zips = files_with_extension(path, "zip")?;
    if !zips.is_empty() {
        #[cfg(feature = "zip")]
        return Ok(Box::new(ZipDataset::open(&zips, split)?));
        #[cfg(not(feature = "zip"))]
        return Err(Error::UnknownDataset {
            path: path.to_owned(),
            hint: "; zips need the feature `zip` of this crate",
        });
    }
    #[cfg(feature = "parquet")]
    {
        let files = parquet::parquet_files(path)?;
        if !files.is_empty() {
            return Ok(Box::new(ParquetDataset::open(&files, split, LabelOrder::Named)?));
        }
        Err(Error::UnknownDataset { path: path.to_owned(), hint: "" })
    }
    #[cfg(not(feature = "parquet"))]
    Err(Error::UnknownDataset {
        path: path.to_owned(),
        hint: "; parquet needs the feature `parquet` of this crate",
    })
}

/// Whether `path` is a folder of pictures with a table of labels, whose `manifest.csv` is therefore no
/// [`Manifest`](crate::Manifest) of copies.
pub(crate) fn is_collection(path: &Path) -> bool {
    #[cfg(feature = "zip")]
    return collection::is_collection(path);
    #[cfg(not(feature = "zip"))]
    return false;
}

/// `path` itself if it is a file with `extension`, or the files with it in the folder, sorted.
fn files_with_extension(path: &Path, extension: &str) -> Result<Vec<std::path::PathBuf>, Error> {
    let has_extension =
        |path: &Path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
    if path.is_file() {
        return Ok(if has_extension(path) { vec![path.to_owned()] } else { vec![] });
    }
    let entries = folder::sorted_entries(path)?;
    Ok(entries.into_iter().filter(|path| has_extension(path) && path.is_file()).collect())
}

/// Refuses a data set without samples.
fn require_samples(path: &Path, split: Option<Split>, samples: &[Sample]) -> Result<(), Error> {
    match split {
        _ if !samples.is_empty() => Ok(()),
        Some(split) => Err(Error::EmptySplit { path: path.to_owned(), split }),
        None => Err(Error::NoImages { path: path.to_owned() }),
    }
}

/// Label and split of an archive member or a file, by the folders in its name.
fn labels_of(id: &str) -> (Option<Label>, Option<Split>) {
    let folders = || id.rsplit('/').skip(1);
    (folders().find_map(Label::from_name), folders().find_map(Split::from_name))
}
