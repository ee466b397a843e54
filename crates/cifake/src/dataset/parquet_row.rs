//! A row of a parquet file, without the types of the crate that reads it.

use parquet::data_type::ByteArray;
use parquet::record::{Field, List, Row};

/// A row, or a group of fields within one.
#[derive(Debug, Clone, PartialEq)]
pub struct ParquetRow(Row);

/// The value of a column or a field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ParquetValue {
    /// A text.
    Text(String),
    /// Bytes, such as an encoded picture.
    Bytes(ParquetBytes),
    /// A whole number of any width that fits.
    Integer(i64),
    /// Values of one type.
    List(ParquetList),
    /// Fields with names.
    Group(ParquetRow),
    /// The row has no value here.
    Missing,
    /// Any other value: truth values, fractions, dates, maps.
    Other,
}

/// Bytes that a clone shares.
#[derive(Debug, Clone, PartialEq)]
pub struct ParquetBytes(ByteArray);

/// The values of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ParquetList(List);

impl ParquetRow {
    pub(super) fn new(row: Row) -> Self {
        Self(row)
    }

    /// Number of its columns.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.0.len()
    }

    /// Bytes of its texts and bytes of its [`ParquetBytes`], at any depth.
    #[must_use]
    pub fn lengths(&self) -> [u64; 2] {
        let mut sums = [0; 2];
        self.0.get_column_iter().for_each(|(_, field)| add_length(field, &mut sums));
        sums
    }

    /// Its columns with their names, in the order of the file.
    pub fn into_columns(self) -> impl Iterator<Item = (String, ParquetValue)> {
        self.0.into_columns().into_iter().map(|(name, field)| (name, ParquetValue::of(field)))
    }
}

impl ParquetList {
    /// The values, in order.
    pub fn values(&self) -> impl Iterator<Item = ParquetValue> {
        self.0.elements().iter().cloned().map(ParquetValue::of)
    }
}

impl AsRef<[u8]> for ParquetBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.data()
    }
}

impl ParquetValue {
    fn of(field: Field) -> Self {
        match field {
            Field::Null => Self::Missing,
            Field::Str(text) => Self::Text(text),
            Field::Bytes(bytes) => Self::Bytes(ParquetBytes(bytes)),
            Field::Byte(number) => Self::Integer(number.into()),
            Field::Short(number) => Self::Integer(number.into()),
            Field::Int(number) => Self::Integer(number.into()),
            Field::Long(number) => Self::Integer(number),
            Field::UByte(number) => Self::Integer(number.into()),
            Field::UShort(number) => Self::Integer(number.into()),
            Field::UInt(number) => Self::Integer(number.into()),
            Field::ULong(number) => i64::try_from(number).map_or(Self::Other, Self::Integer),
            Field::ListInternal(list) => Self::List(ParquetList(list)),
            Field::Group(row) => Self::Group(ParquetRow(row)),
            _ => Self::Other,
        }
    }
}

fn add_length(field: &Field, sums: &mut [u64; 2]) {
    match field {
        Field::Str(text) => sums[0] += text.len() as u64,
        Field::Bytes(bytes) => sums[1] += bytes.len() as u64,
        Field::ListInternal(list) => list.elements().iter().for_each(|f| add_length(f, sums)),
        Field::Group(row) => row.get_column_iter().for_each(|(_, field)| add_length(field, sums)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_every_width_are_integers() {
        for field in [Field::Byte(-7), Field::Short(-7), Field::Int(-7), Field::Long(-7)] {
            assert_eq!(ParquetValue::of(field), ParquetValue::Integer(-7));
        }
        for field in [Field::UByte(7), Field::UShort(7), Field::UInt(7), Field::ULong(7)] {
            assert_eq!(ParquetValue::of(field), ParquetValue::Integer(7));
        }
        assert_eq!(ParquetValue::of(Field::ULong(u64::MAX)), ParquetValue::Other);
        assert_eq!(ParquetValue::of(Field::Null), ParquetValue::Missing);
    }

    #[test]
    fn texts_and_bytes_are_counted_at_any_depth() {
        let row = |fields: Vec<(&str, Field)>| {
            Row::new(fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect())
        };
        let bytes = Field::Bytes(ByteArray::from(vec![1, 2, 3]));
        let inner = row(vec![("bytes", bytes), ("path", Field::Str("a.png".to_owned()))]);
        let outer = row(vec![("image", Field::Group(inner)), ("id", Field::Str("1".to_owned()))]);
        let row = ParquetRow::new(outer);
        assert_eq!((row.n_columns(), row.lengths()), (2, [6, 3]));
    }
}
