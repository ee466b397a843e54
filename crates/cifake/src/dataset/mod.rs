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
mod part;
mod pattern;
mod sample;
mod split;
mod usable;
mod walk;
#[cfg(feature = "zip")]
mod zip;

use std::path::Path;

use crate::Error;

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
pub use part::{DatasetPart, SplitDataset};
pub use pattern::{SeenFiles, find_images};
pub use sample::{Dataset, Origin, Sample};
pub use split::Split;
pub use usable::{FittedDataset, ReadableDataset, readable};
pub use walk::{FoundImage, ImageSearch, image_files, is_image_file};
#[cfg(feature = "zip")]
pub use zip::ZipDataset;

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
    let zips = walk::files_with_extension(path, "zip")?;
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
    {
        let _ = path;
        false
    }
}
