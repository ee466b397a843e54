//! Rows of a parquet file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Row;
use parquet::schema::types::{Type, TypePtr};

use crate::Error;

/// A parquet file that nobody vouches for, read row by row. Its pages may be plain or packed by snappy
/// or gzip. A file so broken that its reader panics is an error like any other.
pub struct ParquetRows {
    path: PathBuf,
    reader: SerializedFileReader<File>,
}

impl ParquetRows {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], [`Error::Parquet`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file =
            File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let reader = guarded(path, || SerializedFileReader::new(file).map_err(broken(path)))?;
        Ok(Self { path: path.to_owned(), reader })
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
    /// [`Error::Parquet`], also for a file with none of the columns, and those of `each`.
    pub fn for_each<E: From<Error>>(
        &self,
        columns: &[&str],
        mut each: impl FnMut(usize, Row) -> Result<(), E>,
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
            let projection = projection.build().map_err(broken(path))?;
            let rows = self.reader.get_row_iter(Some(projection)).map_err(broken(path))?;
            for (number, row) in rows.enumerate() {
                each(number, row.map_err(broken(path))?)?;
            }
            Ok(())
        })
    }
}

/// What `read` returns; a panic of the file's reader is an error. What it did before counts for nothing
/// to the caller.
fn guarded<T, E: From<Error>>(path: &Path, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(broken(path)(ParquetError::General("its reader panicked".to_owned())).into())
    })
}

fn broken(path: &Path) -> impl Fn(ParquetError) -> Error {
    let path = path.to_owned();
    move |source| Error::Parquet { path: path.clone(), source }
}
