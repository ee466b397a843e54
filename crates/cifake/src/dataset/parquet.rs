//! Pictures in parquet files, as Hugging Face stores them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use parquet::file::metadata::FileMetaData;

use super::parquet_row::{ParquetBytes, ParquetRow, ParquetValue};
use super::parquet_rows::ParquetRows;
use super::sample::require_samples;
use super::walk::files_with_extension;
use super::{Class, Dataset, LabelNames, Sample, Split};
use crate::{Error, Label};

/// The most that the pictures of all files together may hold: they are kept in memory.
const MAX_BYTES: u64 = 2 << 30;

/// The [`Label`] of each integer in the column `label`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelOrder {
    /// As the names of the file's `ClassLabel` feature tell (the metadata that the library
    /// `datasets` writes); a file without them is an error.
    Named(LabelNames),
    /// 0 is the first, 1 the second: `[Fake, Real]` for folders that were read in the order of
    /// their names, as those of CIFAKE.
    Given([Label; 2]),
}

/// Pictures in parquet files with a column `image` of `bytes` (and perhaps `path`) and an integer
/// column `label`; the encoded pictures are kept in memory, at most 2 GiB.
#[derive(Debug)]
pub struct ParquetDataset {
    samples: Vec<Sample>,
    pictures: Vec<ParquetBytes>,
}

impl ParquetDataset {
    /// The pictures of the files at `paths`, in order. A file belongs to the split that its name
    /// begins with (`test-00000-of-00001.parquet`) and is passed over if `split` is another; a file
    /// without one is taken for whatever split is asked for. Samples are named
    /// `file name/row number`.
    ///
    /// Fails if a file cannot be read, lacks the columns or the order of its labels, if a label is
    /// neither 0 nor 1, or if there is no picture.
    pub fn open(paths: &[PathBuf], split: Option<Split>, order: LabelOrder) -> Result<Self, Error> {
        let mut found = Self { samples: Vec::new(), pictures: Vec::new() };
        let mut n_bytes = 0;
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            let of = Split::ALL.into_iter().find(|split| name.starts_with(split.as_str()));
            if of.is_some() && split.is_some() && of != split {
                continue;
            }
            found.add_file(path, &name, of.or(split), &order, &mut n_bytes)?;
        }
        let first = paths.first().map_or(Path::new(""), PathBuf::as_path);
        require_samples(first, split, &found.samples)?;
        Ok(found)
    }

    fn add_file(
        &mut self,
        path: &Path,
        name: &str,
        split: Option<Split>,
        order: &LabelOrder,
        n_bytes: &mut u64,
    ) -> Result<(), Error> {
        let rows = ParquetRows::open(path)?;
        let labels = match order {
            LabelOrder::Given(labels) => *labels,
            LabelOrder::Named(names) => label_names(rows.metadata(), names)
                .ok_or_else(|| Error::LabelOrder { path: path.to_owned() })?,
        };
        *n_bytes = n_bytes.saturating_add(rows.claimed_bytes());
        if *n_bytes > MAX_BYTES {
            return Err(Error::FileTooLarge {
                path: path.to_owned(),
                bytes: *n_bytes,
                limit: MAX_BYTES,
            });
        }
        if !has_columns(rows.metadata()) {
            return Err(Error::ParquetColumns { path: path.to_owned() });
        }
        rows.for_each(&["image", "label", "source"], |number, row| {
            let refuse = || Error::ParquetRow { path: path.to_owned(), row: number };
            let row = Columns::of(row).ok_or_else(refuse)?;
            let label = usize::try_from(row.label).ok().and_then(|label| labels.get(label));
            self.samples.push(Sample {
                class: row.file_name.as_deref().and_then(Class::from_file_name),
                split,
                source: row.source,
                ..Sample::new(format!("{name}/{number}"), *label.ok_or_else(refuse)?)
            });
            self.pictures.push(row.picture);
            Ok(())
        })
    }
}

impl Dataset for ParquetDataset {
    fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        Ok(Cow::Borrowed(self.pictures[index].as_ref()))
    }
}

/// Whether there are a column of pictures and one of labels.
fn has_columns(metadata: &FileMetaData) -> bool {
    let root = metadata.schema();
    let column = |name: &str| root.get_fields().iter().find(|field| field.name() == name);
    column("image").is_some_and(|image| image.is_group())
        && column("label").is_some_and(|label| !label.is_group())
}

/// The content of a row.
struct Columns {
    /// The encoded picture.
    picture: ParquetBytes,
    file_name: Option<String>,
    label: i64,
    source: Option<String>,
}

impl Columns {
    /// `None` if picture or label is missing, or one of the three is of another type.
    fn of(row: ParquetRow) -> Option<Self> {
        let (mut picture, mut file_name, mut label, mut source) = (None, None, None, None);
        for (name, field) in row.into_columns() {
            match (name.as_str(), field) {
                ("image", ParquetValue::Group(image)) => {
                    for (name, field) in image.into_columns() {
                        match (name.as_str(), field) {
                            ("bytes", ParquetValue::Bytes(content)) => picture = Some(content),
                            ("path", ParquetValue::Text(path)) => {
                                file_name = path.rsplit('/').next().map(str::to_owned);
                            }
                            _ => {}
                        }
                    }
                }
                ("source", ParquetValue::Text(text)) => source = Some(text),
                ("source", ParquetValue::Missing | ParquetValue::Group(_)) => {}
                ("source", _) => return None,
                ("label", ParquetValue::Integer(value)) => label = Some(value),
                _ => {}
            }
        }
        Some(Self { picture: picture?, file_name, label: label?, source })
    }
}

/// The labels that the library `datasets` wrote into the file, in the order of their numbers.
fn label_names(metadata: &FileMetaData, known: &LabelNames) -> Option<[Label; 2]> {
    let entries = metadata.key_value_metadata()?;
    let info = entries.iter().find(|entry| entry.key == "huggingface")?.value.as_deref()?;
    let info: serde_json::Value = serde_json::from_str(info).ok()?;
    let names = info.pointer("/info/features/label/names")?.as_array()?;
    let labels: Vec<_> =
        names.iter().map(|name| known.label(name.as_str()?)).collect::<Option<_>>()?;
    let labels: [Label; 2] = labels.try_into().ok()?;
    (labels[0] != labels[1]).then_some(labels)
}

/// The parquet files of `path`: itself, those in the folder, or those in its folder `data`.
pub(super) fn parquet_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let files = files_with_extension(path, "parquet")?;
    let data = path.join("data");
    if files.is_empty() && data.is_dir() {
        return files_with_extension(&data, "parquet");
    }
    Ok(files)
}
