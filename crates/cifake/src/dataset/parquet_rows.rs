//! Rows of a parquet file.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{AsBytes, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{Type, TypePtr};

use super::parquet_row::ParquetRow;
use crate::Error;

/// Values in one group of rows, missing ones included: a row can hold all of them, and is unpacked whole.
const MAX_VALUES: u64 = 1 << 24;
/// Maximum bytes of the texts and pictures of all rows, unless the caller sets another limit.
const MAX_BYTES: u64 = 2 << 30;
/// Maximum bytes of the texts and pictures of one row, which is unpacked whole.
const MAX_ROW_BYTES: u64 = 256 << 20;
/// Rows whose values are unpacked at once while they are counted.
const COUNTED: usize = 64;

/// A parquet file that nobody vouches for, read row by row. Its pages may be plain or packed by snappy
/// or gzip. A file so broken that its reader panics is an error like any other.
pub struct ParquetRows {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    max_bytes: u64,
}

impl ParquetRows {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], [`Error::Parquet`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = crate::file::open(path)?;
        let reader = guarded(path, || SerializedFileReader::new(file).map_err(broken(path)))?;
        Ok(Self { path: path.to_owned(), reader, max_bytes: MAX_BYTES })
    }

    /// Sets the maximum bytes of the texts and pictures of all rows that are read; 2 GiB without it.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Bytes that its columns have when they are unpacked, as it says itself.
    #[must_use]
    pub fn claimed_bytes(&self) -> u64 {
        let groups = self.reader.metadata().row_groups().iter();
        let sizes = groups.map(|group| u64::try_from(group.total_byte_size()).unwrap_or(u64::MAX));
        sizes.fold(0, u64::saturating_add)
    }

    pub(super) fn metadata(&self) -> &FileMetaData {
        self.reader.metadata().file_metadata()
    }

    /// Hands every row to `each` with its number, counted from 0: those of `columns` that are there, each
    /// with all that is below it. The first error ends it, so that a file that claims more rows than it
    /// has need not be read to its end.
    ///
    /// # Errors
    ///
    /// [`Error::Parquet`], also for a file with none of the columns, with more than 16 million values of
    /// them in a group of rows, with more than 256 MiB in a row or more than
    /// [`with_max_bytes`](Self::with_max_bytes) in all, and those of `each`. Bytes are counted as they are
    /// unpacked, before the first row: a short dictionary can stand for any number of long values.
    pub fn for_each<E: From<Error>>(
        &self,
        columns: &[&str],
        mut each: impl FnMut(usize, ParquetRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let root = self.metadata().schema();
        let is_wanted = |field: &&TypePtr| columns.contains(&field.name());
        let wanted: Vec<TypePtr> = root.get_fields().iter().filter(is_wanted).cloned().collect();
        if wanted.is_empty() {
            let reason = format!("it has no column named {}", columns.join(", "));
            return Err(broken(&self.path)(ParquetError::General(reason)).into());
        }
        let projection = Type::group_type_builder(root.name()).with_fields(wanted);
        let path = &self.path;
        guarded(path, || {
            self.check_values(columns, MAX_VALUES).map_err(broken(path))?;
            self.check_bytes(columns, MAX_ROW_BYTES).map_err(broken(path))?;
            let projection = projection.build().map_err(broken(path))?;
            let rows = self.reader.get_row_iter(Some(projection)).map_err(broken(path))?;
            for (number, row) in rows.enumerate() {
                each(number, ParquetRow::new(row.map_err(broken(path))?))?;
            }
            Ok(())
        })
    }

    /// Refuses more than `limit` values of `columns` in a group of rows, by the headers of their pages: a
    /// few bytes can stand for thousands of millions of missing values.
    fn check_values(&self, columns: &[&str], limit: u64) -> Result<(), ParquetError> {
        for index in 0..self.reader.num_row_groups() {
            let (group, mut n_values) = (self.reader.get_row_group(index)?, 0u64);
            for (place, column) in group.metadata().columns().iter().enumerate() {
                let name = column.column_path().parts().first().map_or("", String::as_str);
                if !columns.contains(&name) {
                    continue;
                }
                let mut pages = group.get_column_page_reader(place)?;
                while let Some(page) = pages.peek_next_page()? {
                    let own = page.num_levels.or(page.num_rows).unwrap_or_default();
                    n_values = n_values.saturating_add(own as u64);
                    if n_values > limit {
                        let reason = format!("a group of its rows has more than {limit} values");
                        return Err(ParquetError::General(reason));
                    }
                    pages.skip_next_page()?;
                }
            }
        }
        Ok(())
    }
}

impl ParquetRows {
    /// Refuses more than `row_limit` bytes of `columns` in a row, or more than the maximum in all rows.
    fn check_bytes(&self, columns: &[&str], row_limit: u64) -> Result<(), ParquetError> {
        let mut total = 0u64;
        for index in 0..self.reader.num_row_groups() {
            let (group, mut row) = (self.reader.get_row_group(index)?, 0u64);
            for (place, column) in group.metadata().columns().iter().enumerate() {
                let name = column.column_path().parts().first().map_or("", String::as_str);
                if !columns.contains(&name) {
                    continue;
                }
                let levels =
                    [column.column_descr().max_def_level(), column.column_descr().max_rep_level()];
                let limits = [row_limit - row, self.max_bytes - total];
                let [largest, all] = match group.get_column_reader(place)? {
                    ColumnReader::ByteArrayColumnReader(reader) => count(reader, levels, limits)?,
                    ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                        count(reader, levels, limits)?
                    }
                    // Numbers are bounded by their count.
                    _ => [0; 2],
                };
                row += largest;
                total += all;
            }
        }
        Ok(())
    }
}

/// Bytes of the largest row of a column and of all its rows. Fails where they exceed `limits`.
fn count<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    [max_definition, max_repetition]: [i16; 2],
    [row_limit, limit]: [u64; 2],
) -> Result<[u64; 2], ParquetError> {
    let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (mut largest, mut total) = (0u64, 0u64);
    loop {
        definitions.clear();
        repetitions.clear();
        values.clear();
        let (n_rows, ..) = reader.read_records(
            COUNTED,
            (max_definition > 0).then_some(&mut definitions),
            (max_repetition > 0).then_some(&mut repetitions),
            &mut values,
        )?;
        if n_rows == 0 {
            return Ok([largest, total]);
        }
        let mut sizes = values.iter().map(|value: &T::T| value.as_bytes().len() as u64);
        let n_places = definitions.len().max(values.len());
        let mut row = 0u64;
        for place in 0..n_places {
            if repetitions.get(place).is_none_or(|level| *level == 0) {
                row = 0;
            }
            if definitions.get(place).is_none_or(|level| *level == max_definition) {
                let size = sizes.next().unwrap_or_default();
                (row, total) = (row.saturating_add(size), total.saturating_add(size));
            }
            largest = largest.max(row);
        }
        for (found, limit, what) in [(largest, row_limit, "a row"), (total, limit, "its rows")] {
            if found > limit {
                let reason = format!("{what} would have more bytes than the limit allows");
                return Err(ParquetError::General(reason));
            }
        }
    }
}

/// The result of `read`; a panic of the file's reader is an error. The caller uses nothing that `read` did before.
fn guarded<T, E: From<Error>>(path: &Path, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    crate::guarded(read).unwrap_or_else(|_| {
        Err(broken(path)(ParquetError::General("its reader panicked".to_owned())).into())
    })
}

fn broken(path: &Path) -> impl Fn(ParquetError) -> Error {
    let path = path.to_owned();
    move |source| Error::Parquet { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, Int32Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    #[test]
    fn missing_values_count_before_they_are_unpacked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        let schema = "message schema { required group numbers (LIST) { repeated group list {
            optional int32 element; } } }";
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, properties).expect("in memory");
        let mut group = writer.next_row_group().expect("in memory");
        let mut column = group.next_column().expect("in memory").expect("one column");
        // One row of a thousand numbers, none of which is there.
        let below: Vec<i16> = (0..1000).map(|at| i16::from(at > 0)).collect();
        let batch = column.typed::<Int32Type>();
        batch.write_batch(&[], Some(&[1; 1000]), Some(&below)).expect("in memory");
        column.close().expect("in memory");
        group.close().expect("in memory");
        std::fs::write(&path, writer.into_inner().expect("in memory")).expect("it is writable");
        let rows = ParquetRows::open(&path).expect("it is whole");
        assert!(rows.check_values(&["numbers"], 1000).is_ok());
        assert!(rows.check_values(&["others"], 0).is_ok());
        let refused = rows.check_values(&["numbers"], 999).expect_err("there are a thousand");
        assert!(refused.to_string().contains("999"), "{refused}");
        let read = rows.for_each(&["numbers"], |_, row| {
            assert_eq!(row.n_columns(), 1);
            Ok::<(), Error>(())
        });
        read.expect("it has one row");
    }

    /// A row with `n` references to one text of 64 KiB in a dictionary.
    fn dictionary_bomb(path: &Path, n: usize) {
        let schema = "message schema { required group names (LIST) { repeated group list {
            required binary element (UTF8); } } required binary other (UTF8); }";
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema, properties).expect("in memory");
        let mut group = writer.next_row_group().expect("in memory");
        let text = ByteArray::from(vec![b'a'; 1 << 16]);
        let mut column = group.next_column().expect("in memory").expect("two columns");
        let batch = column.typed::<ByteArrayType>();
        let below: Vec<i16> = (0..n).map(|at| i16::from(at > 0)).collect();
        batch.write_batch(&vec![text; n], Some(&vec![1; n]), Some(&below)).expect("in memory");
        column.close().expect("in memory");
        let mut column = group.next_column().expect("in memory").expect("two columns");
        let batch = column.typed::<ByteArrayType>();
        batch.write_batch(&[ByteArray::from("b")], None, None).expect("in memory");
        column.close().expect("in memory");
        group.close().expect("in memory");
        std::fs::write(path, writer.into_inner().expect("in memory")).expect("it is writable");
    }

    #[test]
    fn a_dictionary_counts_as_often_as_it_is_referred_to() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.parquet");
        dictionary_bomb(&path, 5000);
        let len = std::fs::metadata(&path).expect("it was written").len();
        assert!(len < 1 << 20, "{len} bytes stand for 328 MB");
        let rows = ParquetRows::open(&path).expect("it is whole");
        let mut n_rows = 0;
        let mut read = |columns: &[&str], rows: &ParquetRows| {
            rows.for_each(columns, |_, _| {
                n_rows += 1;
                Ok::<(), Error>(())
            })
        };
        let refused = read(&["names"], &rows).expect_err("a row of 328 MB");
        assert!(format!("{refused:?}").contains("a row"), "{refused:?}");
        // A column that is not read may be as large as it likes.
        read(&["other"], &rows).expect("one letter");
        dictionary_bomb(&path, 100);
        let rows = ParquetRows::open(&path).expect("it is whole");
        read(&["names"], &rows).expect("6.5 MB");
        let rows = rows.with_max_bytes(100 << 15);
        let refused = read(&["names"], &rows).expect_err("twice as many");
        assert!(format!("{refused:?}").contains("its rows"), "{refused:?}");
        assert_eq!(n_rows, 2);
    }
}
