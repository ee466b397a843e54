//! Labelled pictures written as one parquet file, which [`ParquetDataset`](super::ParquetDataset)
//! and Hugging Face's `datasets` read.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::{Error, Label};

/// The description of the columns for the library `datasets`.
const FEATURES: &str = r#"{"info": {"features": {"image": {"_type": "Image"}, "label": {"names": ["REAL", "FAKE"], "_type": "ClassLabel"}}}}"#;

/// A column beside picture and label.
#[derive(Debug, Clone, PartialEq)]
pub enum ParquetColumn {
    /// Strings.
    Text(Vec<String>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Real numbers.
    Real(Vec<f64>),
    /// More encoded pictures, without file names.
    Pictures(Vec<Vec<u8>>),
}

impl ParquetColumn {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Pictures(values) => values.len(),
        }
    }
}

/// A file under construction: one entry a row in each list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParquetFile {
    /// Encoded pictures, such as the bytes of a PNG.
    pub pictures: Vec<Vec<u8>>,
    /// A file name for each.
    pub names: Vec<String>,
    /// The labels of the pictures. The file stores REAL = 0 and FAKE = 1, and says so.
    pub labels: Vec<Label>,
    /// More columns by name.
    pub columns: Vec<(String, ParquetColumn)>,
}

impl ParquetFile {
    /// Writes the file whole or not at all; the same rows give the same bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Write`]; [`Error::Parquet`] where the rows make no table.
    ///
    /// # Panics
    ///
    /// If the lists differ in length.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let bytes =
            self.encode().map_err(|source| Error::Parquet { path: path.to_owned(), source })?;
        crate::file::write_atomic(path, &bytes)
    }

    fn encode(&self) -> Result<Vec<u8>, ParquetError> {
        let n = self.pictures.len();
        let lens = self.columns.iter().map(|(_, column)| column.len());
        let mut lens = lens.chain([self.names.len(), self.labels.len()]);
        assert!(lens.all(|len| len == n), "one value of every column a picture");
        let features = KeyValue::new("huggingface".to_owned(), FEATURES.to_owned());
        let properties =
            WriterProperties::builder().set_key_value_metadata(Some(vec![features])).build();
        let schema = Arc::new(self.schema()?);
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        fill::<ByteArrayType>(&mut group, &encoded(&self.pictures), 2)?;
        fill::<ByteArrayType>(&mut group, &texts(&self.names), 2)?;
        let labels: Vec<i64> = self.labels.iter().map(|label| label.index() as i64).collect();
        fill::<Int64Type>(&mut group, &labels, 1)?;
        for (_, column) in &self.columns {
            match column {
                ParquetColumn::Text(values) => {
                    fill::<ByteArrayType>(&mut group, &texts(values), 1)?;
                }
                ParquetColumn::Whole(values) => fill::<Int64Type>(&mut group, values, 1)?,
                ParquetColumn::Real(values) => fill::<DoubleType>(&mut group, values, 1)?,
                ParquetColumn::Pictures(values) => {
                    fill::<ByteArrayType>(&mut group, &encoded(values), 2)?;
                }
            }
        }
        group.close()?;
        writer.into_inner()
    }

    /// All optional, though nothing is missing: Hugging Face's `datasets` takes pictures and label
    /// names from the file only then.
    fn schema(&self) -> Result<Type, ParquetError> {
        let image = struct_of("image", vec![bytes("bytes", false)?, bytes("path", true)?])?;
        let mut fields = vec![image, number("label", Physical::INT64)?];
        for (name, column) in &self.columns {
            fields.push(match column {
                ParquetColumn::Text(_) => bytes(name, true)?,
                ParquetColumn::Whole(_) => number(name, Physical::INT64)?,
                ParquetColumn::Real(_) => number(name, Physical::DOUBLE)?,
                ParquetColumn::Pictures(_) => struct_of(name, vec![bytes("bytes", false)?])?,
            });
        }
        Type::group_type_builder("schema").with_fields(fields).build()
    }
}

fn struct_of(name: &str, fields: Vec<TypePtr>) -> Result<TypePtr, ParquetError> {
    let group = Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL);
    Ok(Arc::new(group.with_fields(fields).build()?))
}

fn bytes(name: &str, is_text: bool) -> Result<TypePtr, ParquetError> {
    let kind = if is_text { ConvertedType::UTF8 } else { ConvertedType::NONE };
    let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
    Ok(Arc::new(column.with_repetition(Repetition::OPTIONAL).with_converted_type(kind).build()?))
}

fn number(name: &str, physical: Physical) -> Result<TypePtr, ParquetError> {
    let column = Type::primitive_type_builder(name, physical);
    Ok(Arc::new(column.with_repetition(Repetition::OPTIONAL).build()?))
}

fn encoded(pictures: &[Vec<u8>]) -> Vec<ByteArray> {
    pictures.iter().map(|bytes| ByteArray::from(bytes.clone())).collect()
}

fn texts(values: &[String]) -> Vec<ByteArray> {
    values.iter().map(|value| ByteArray::from(value.as_str())).collect()
}

/// Writes the next column, whose values all stand below `level` optional fields.
fn fill<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    level: i16,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, Some(&vec![level; values.len()]), None)?;
    column.close()
}
