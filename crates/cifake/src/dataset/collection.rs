//! Pictures of many sources in one zip archive, with a table that says what each is.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::sample::require_samples;
use super::{Class, Dataset, Origin, Sample, Split, ZipDataset};
use crate::{Error, Label, file};

/// The archive's name.
const PICTURES: &str = "pictures.zip";
/// The table's name.
const TABLE: &str = "manifest.csv";
/// Largest table that is read.
const MAX_TABLE_BYTES: u64 = 32 << 20;
/// Most rows of a table. Parsed, a row takes its texts and some 400 bytes: a table costs at most 180 MB.
const MAX_ROWS: usize = 1 << 18;
/// Longest text of a cell, in bytes: the manifest repeats names and licences, and no longer texts.
const MAX_TEXT: usize = 512;
/// Largest width or height that a row may claim for the published picture, in pixels.
const MAX_SIDE: u32 = 1 << 20;

/// A line of the table.
#[derive(Debug, Deserialize)]
struct Row {
    file: String,
    label: String,
    generator: String,
    class: String,
    source: String,
    licence: String,
    split: String,
    original_width: u32,
    original_height: u32,
    original_format: String,
}

/// Whether `path` is a folder that holds the archive and the table.
pub(super) fn is_collection(path: &Path) -> bool {
    path.join(PICTURES).is_file() && path.join(TABLE).is_file()
}

impl ZipDataset {
    /// The pictures in the folder `path` that holds `pictures.zip` and `manifest.csv`, in the
    /// archive's order, of `split` alone if one is given.
    ///
    /// The table has a row a picture and the columns `file` (the member's name), `label` (REAL or
    /// FAKE), `generator` (empty for a photograph), `class` (one of CIFAR-10's, or another word, or
    /// nothing), `source`, `licence`, `split`, `original_width`, `original_height` and
    /// `original_format`; others are passed over, and so are members that no row names.
    ///
    /// # Errors
    ///
    /// A file that cannot be read; [`Error::Collection`] for a table without these columns;
    /// [`Error::CollectionRow`] for a row with an unknown label or split, a FAKE picture without a
    /// generator, a text of more than 512 bytes, a picture named twice, or one that is not in the
    /// archive; those of [`ZipDataset::open`].
    pub fn open_collection(path: &Path, split: Option<Split>) -> Result<Self, Error> {
        let table = path.join(TABLE);
        let refuse = |row, reason| Error::CollectionRow { path: table.clone(), row, reason };
        // The row and the sample of each member.
        let mut rows: HashMap<String, (usize, Sample)> = HashMap::new();
        let bytes = file::read_limited(&table, MAX_TABLE_BYTES)?;
        for (index, row) in csv::Reader::from_reader(bytes.as_slice()).deserialize().enumerate() {
            if index == MAX_ROWS {
                return Err(refuse(index + 1, "is one more than is read"));
            }
            let row: Row =
                row.map_err(|source| Error::Collection { path: table.clone(), source })?;
            let sample = sample_of(row).map_err(|reason| refuse(index + 1, reason))?;
            if rows.insert(sample.id.clone(), (index + 1, sample)).is_some() {
                return Err(refuse(index + 1, "names a picture that another row names"));
            }
        }
        let mut found = Self::empty();
        let mut is_there = vec![false; rows.len()];
        found.add_archive(&path.join(PICTURES), |name| {
            let (row, sample) = rows.get(name)?;
            is_there[row - 1] = true;
            split.is_none_or(|wanted| sample.split == Some(wanted)).then(|| sample.clone())
        })?;
        if let Some(missing) = is_there.iter().position(|is_there| !is_there) {
            return Err(refuse(missing + 1, "names a picture that is not in the archive"));
        }
        require_samples(path, split, found.samples())?;
        Ok(found)
    }
}

/// The sample that a row describes, or the reason why the row cannot be used.
fn sample_of(row: Row) -> Result<Sample, &'static str> {
    let texts = [&row.file, &row.generator, &row.class, &row.source, &row.licence];
    if texts.into_iter().chain([&row.original_format]).any(|text| text.len() > MAX_TEXT) {
        return Err("has a text of more than 512 bytes");
    }
    if [row.original_width, row.original_height].iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
        return Err("states an original size that no picture has");
    }
    let label = Label::from_name(&row.label).ok_or("has a label other than REAL and FAKE")?;
    let split =
        Split::from_name(&row.split).ok_or("has a split other than train, validation and test")?;
    let generator = Some(row.generator).filter(|name| !name.is_empty());
    if (label == Label::Fake) != generator.is_some() {
        return Err("has a generator without being FAKE, or none although it is");
    }
    let origin = Origin {
        publisher: row.source,
        licence: row.licence,
        width: row.original_width,
        height: row.original_height,
        format: row.original_format,
    };
    Ok(Sample {
        class: Class::from_name(&row.class),
        split: Some(split),
        generator,
        origin: Some(origin),
        ..Sample::new(row.file, label)
    })
}
