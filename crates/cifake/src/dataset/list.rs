//! Pictures that a CSV file names.

use std::path::Path;

use csv::StringRecord;

use super::error::DatasetError;
use super::sample::require_samples;
use super::{Class, ImageFolder, LabelNames, Sample, Split};
use crate::{Error, file};

/// Largest list that is read.
const MAX_BYTES: u64 = 64 << 20;
/// Most rows of a list.
const MAX_ROWS: usize = 1 << 20;
/// Names of the column of files.
const PATH: [&str; 4] = ["path", "file", "image", "filename"];

/// The roles of the columns.
#[derive(Debug, Clone, Copy)]
struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
}

impl ImageFolder {
    /// The pictures that the CSV file at `path` names, in its order, of `split` alone if one is
    /// given.
    ///
    /// A first row of names has `path` (or `file`, `image`, `filename`), `label` and perhaps
    /// `split`; other columns are passed over. Without such a row, the first column is the path and
    /// the second the label. Relative paths begin at the folder of the list. A picture is opened
    /// when it is asked for and not before.
    ///
    /// # Errors
    ///
    /// A list that cannot be read; [`DatasetError::List`] for a list without these columns, and for a row
    /// with an unknown label or split; no picture of `split`.
    pub fn open_list(path: &Path, split: Option<Split>, names: &LabelNames) -> Result<Self, Error> {
        let refuse = |row, reason: String| {
            Error::from(DatasetError::List { path: path.to_owned(), row, reason })
        };
        let bytes = file::read_limited(path, MAX_BYTES)?;
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(&*bytes);
        let root = path.parent().unwrap_or(Path::new(""));
        let (mut found, mut columns) = (Self::empty(), None);
        for (index, row) in reader.records().enumerate() {
            let number = index + 1;
            let row = row.map_err(|error| refuse(number, error.to_string()))?;
            if number > MAX_ROWS {
                return Err(refuse(number, format!("only {MAX_ROWS} rows are read")));
            }
            if index == 0 {
                columns = header(&row);
                if columns.is_some() {
                    continue;
                }
            }
            let columns = columns.unwrap_or(Columns { path: 0, label: 1, split: None });
            let sample = sample(&row, columns, split, names).map_err(|why| refuse(number, why))?;
            if split.is_none_or(|wanted| sample.split == Some(wanted)) {
                found.push(root.join(&sample.id), sample);
            }
        }
        require_samples(path, split, &found.samples)?;
        Ok(found)
    }
}

/// The columns that a first row names; `None` for a row that is a picture.
fn header(row: &StringRecord) -> Option<Columns> {
    let place = |known: &[&str]| {
        row.iter().position(|cell| known.iter().any(|known| known.eq_ignore_ascii_case(cell)))
    };
    Some(Columns { path: place(&PATH)?, label: place(&["label"])?, split: place(&["split"]) })
}

fn sample(
    row: &StringRecord,
    columns: Columns,
    wanted: Option<Split>,
    names: &LabelNames,
) -> Result<Sample, String> {
    let path = row.get(columns.path).filter(|path| !path.is_empty()).ok_or("it names no file")?;
    let label = row.get(columns.label).ok_or("it has no label")?;
    let label =
        names.label(label).ok_or_else(|| format!("`{label}` is the name of neither label"))?;
    let split = match columns.split.and_then(|column| row.get(column)) {
        Some(name) => {
            Some(Split::from_name(name).ok_or_else(|| format!("there is no split `{name}`"))?)
        }
        None => wanted,
    };
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    Ok(Sample { class: Class::from_file_name(name), split, ..Sample::new(path, label) })
}
