//! Labelled pictures: class folders, lists, the CIFAKE zips, collections of generators, parquet files.

mod class;
#[cfg(feature = "zip")]
mod collection;
mod error;
mod folder;
mod labels;
mod list;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(feature = "parquet")]
mod parquet_row;
#[cfg(feature = "parquet")]
mod parquet_rows;
mod pattern;
mod split;
mod usable;
mod walk;
#[cfg(feature = "zip")]
mod zip;

use std::borrow::Cow;
use std::path::Path;

use crate::{Error, Label};

pub use class::Class;
pub use error::DatasetError;
pub use folder::ImageFolder;
pub use labels::LabelNames;
#[cfg(feature = "parquet")]
pub use parquet::{LabelOrder, ParquetDataset};
#[cfg(feature = "parquet")]
pub use parquet_file::{ParquetColumn, ParquetFile};
#[cfg(feature = "parquet")]
pub use parquet_row::{ParquetBytes, ParquetList, ParquetRow, ParquetValue};
#[cfg(feature = "parquet")]
pub use parquet_rows::ParquetRows;
pub use pattern::{SeenFiles, find_images};
pub use split::Split;
pub use usable::{FittedDataset, ReadableDataset};
pub use walk::{FoundImage, ImageSearch, image_files};
#[cfg(feature = "zip")]
pub use zip::ZipDataset;

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

/// The data set at `path`, of `split` alone if one is given, with the label names of published data
/// sets: see [`open_dataset_named`].
pub fn open_dataset(path: &Path, split: Option<Split>) -> Result<Box<dyn Dataset>, Error> {
    open_dataset_named(path, split, &LabelNames::default())
}

/// The data set at `path`, of `split` alone if one is given, whose labels are called as `names` says.
///
/// `path` may be
/// - a folder with a folder a label, or with `train` and `test` that hold them, see [`ImageFolder`],
/// - a CSV file of paths and labels, see [`ImageFolder::open_list`],
/// - a zip archive of such folders, or a folder with such archives, as CIFAKE's four
///   (feature `zip`),
/// - a folder with `pictures.zip` and `manifest.csv`, which says what each picture is
///   (feature `zip`, see [`ZipDataset::open_collection`]),
/// - a parquet file, or a folder of them, alone or in `data/` (feature `parquet`), whose labels
///   have names.
///
/// # Errors
///
/// [`DatasetError::UnknownDataset`] for anything else; [`DatasetError::OneClass`] where only one label is found
/// beside folders of unknown names; no sample of `split`; a file that cannot be read.
pub fn open_dataset_named(
    path: &Path,
    split: Option<Split>,
    names: &LabelNames,
) -> Result<Box<dyn Dataset>, Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let is_folder = std::fs::metadata(path).map_err(read)?.is_dir();
    if is_folder && folder::has_label_folders(path, names)? {
        return Ok(Box::new(ImageFolder::open(path, split, names)?));
    }
    if !is_folder && path.extension().is_some_and(|found| found.eq_ignore_ascii_case("csv")) {
        return Ok(Box::new(ImageFolder::open_list(path, split, names)?));
    }
    #[cfg(feature = "zip")]
    if collection::is_collection(path) {
        return Ok(Box::new(ZipDataset::open_collection(path, split)?));
    }
    let zips = files_with_extension(path, "zip")?;
    if !zips.is_empty() {
        #[cfg(feature = "zip")]
        return Ok(Box::new(ZipDataset::open(&zips, split, names)?));
        #[cfg(not(feature = "zip"))]
        return Err(unknown(path, "; zips need the feature `zip` of this crate"));
    }
    #[cfg(feature = "parquet")]
    {
        let files = parquet::parquet_files(path)?;
        if !files.is_empty() {
            let order = LabelOrder::Named(names.clone());
            return Ok(Box::new(ParquetDataset::open(&files, split, order)?));
        }
        Err(unknown(path, ""))
    }
    #[cfg(not(feature = "parquet"))]
    Err(unknown(path, "; parquet needs the feature `parquet` of this crate"))
}

/// The error of a path that is no data set, with the folders that it has.
fn unknown(path: &Path, hint: &'static str) -> Error {
    let folders = folder::folder_names(path);
    DatasetError::UnknownDataset { path: path.to_owned(), folders, hint }.into()
}

/// Whether `path` is a folder of pictures with a table of labels, whose `manifest.csv` is therefore no list
/// of copies.
#[must_use]
pub fn is_collection(path: &Path) -> bool {
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
    let entries = walk::sorted_entries(path)?;
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

/// Label and split of an archive member, by the folders in its name.
#[cfg(feature = "zip")]
fn labels_of(id: &str, names: &LabelNames) -> (Option<Label>, Option<Split>) {
    let folders = || id.rsplit('/').skip(1);
    let label = folders().find_map(|folder| names.label(folder));
    (label, folders().find_map(labels::split_of_folder))
}
