//! Errors of finding pictures and their labels.

use std::path::PathBuf;

use crate::Label;

/// Pictures that cannot be found, or whose labels cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A path is no data set of a kind that this build reads.
    #[error(
        "{} is no data set; expected folders REAL and FAKE (in train/ and test/, perhaps), a CSV of paths and \
         labels, the CIFAKE zips, or parquet files{}{hint}", path.display(), unknown_folders(folders)
    )]
    UnknownDataset {
        /// The path.
        path: PathBuf,
        /// The folders in it, whose names are those of neither label.
        folders: Vec<String>,
        /// The remedy, or nothing.
        hint: &'static str,
    },
    /// A data set has pictures of one label, and folders that may hold the other one.
    #[error(
        "{} has no {missing} pictures{}", path.display(), unknown_folders(folders)
    )]
    OneClass {
        /// The data set.
        path: PathBuf,
        /// The label without pictures.
        missing: Label,
        /// The folders whose names are those of neither label.
        folders: Vec<String>,
    },
    /// Two labels have the same name.
    #[error("`{name}` cannot be the name of both REAL and FAKE; give each label names of its own")]
    LabelName {
        /// The name.
        name: String,
    },
    /// A list of pictures has no column of paths or labels, or a row that is no picture.
    #[error("row {row} of the list {}: {reason}; expected the columns path and label", path.display())]
    List {
        /// The CSV file.
        path: PathBuf,
        /// The row, counted from 1.
        row: usize,
        /// The fault of the row.
        reason: String,
    },
    /// The pictures of a data set take more memory than the caller allows.
    #[error(
        "{} would take {bytes} bytes of memory, more than the limit of {limit}; use fewer or smaller pictures",
        crate::text::counted(*n, "picture")
    )]
    DatasetTooLarge {
        /// The number of pictures.
        n: usize,
        /// The bytes that they take.
        bytes: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// A folder lies too deep to be searched.
    #[error("{} lies more than {limit} folders deep and is not searched; name it directly", path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
        /// The most folders within folders that are entered.
        limit: usize,
    },
    /// An address stands where a file is expected.
    #[error(
        "`{address}` is an address and not opened; pipe the picture in: curl -s ADDRESS | cifake detect -"
    )]
    Address {
        /// The address.
        address: String,
    },
    /// A file name pattern breaks the rules of patterns.
    #[error("`{pattern}` is no valid pattern: {source}; quote special characters as in [[]")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The error of the parser, with its place in the pattern.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file name pattern has no match.
    #[error("no file matches `{pattern}`; check the folder and the pattern")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
}

/// Folders of unknown names and what to do about them, for a message.
fn unknown_folders(folders: &[String]) -> String {
    const SHOWN: usize = 8;
    if folders.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = folders.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = if folders.len() > SHOWN { ", ..." } else { "" };
    format!(
        "; the names of its folders {}{more} are not known: state which hold REAL and which FAKE pictures",
        shown.join(", ")
    )
}
