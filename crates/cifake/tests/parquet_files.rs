//! Data sets in parquet files, well-formed or not.
#![cfg(feature = "parquet")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use cifake::{
    Class, Dataset, Error, Label, LabelNames, LabelOrder, ParquetColumn, ParquetDataset,
    ParquetFile, Split, open_dataset,
};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const SCHEMA: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (STRING); }
    optional int64 label;
}";
const NAMES: &str = r#"{"info": {"features": {"image": {"_type": "Image"},
    "label": {"names": ["FAKE", "REAL"], "_type": "ClassLabel"}}}}"#;

/// Rows of picture, file name and label, in row groups of two.
fn write(path: &Path, rows: &[(&str, &str, i64)], names: Option<&str>, packed: Compression) {
    let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
    let metadata =
        names.map(|names| vec![KeyValue::new("huggingface".to_owned(), names.to_owned())]);
    let properties = WriterProperties::builder()
        .set_compression(packed)
        .set_key_value_metadata(metadata)
        .build();
    let file = File::create(path).expect("room");
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).expect("room");
    for rows in rows.chunks(2) {
        let mut group = writer.next_row_group().expect("room");
        let levels = vec![2; rows.len()];
        for column in [0, 1] {
            let texts = rows.iter().map(|row| if column == 0 { row.0 } else { row.1 });
            let texts: Vec<_> = texts.map(ByteArray::from).collect();
            let mut column = group.next_column().expect("room").expect("a column");
            column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None).expect("room");
            column.close().expect("room");
        }
        let labels: Vec<_> = rows.iter().map(|row| row.2).collect();
        let mut column = group.next_column().expect("room").expect("a column");
        let levels = vec![1; rows.len()];
        column.typed::<Int64Type>().write_batch(&labels, Some(&levels), None).expect("room");
        column.close().expect("room");
        group.close().expect("room");
    }
    writer.close().expect("room");
}

const ROWS: [(&str, &str, i64); 3] =
    [("first", "0 (10).jpg", 0), ("second", "cat.jpg", 1), ("third", "7.jpg", 1)];

#[test]
fn the_names_of_the_labels_decide_and_splits_are_told_by_file_names() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("room");
    for (name, packed) in [
        ("train-00000-of-00001.parquet", Compression::SNAPPY),
        ("test-00000-of-00001.parquet", Compression::UNCOMPRESSED),
    ] {
        write(&folder.path().join("data").join(name), &ROWS, Some(NAMES), packed);
    }
    let test = open_dataset(folder.path(), Some(Split::Test)).expect("a data set");
    let labels: Vec<_> = test.samples().iter().map(|sample| sample.label).collect();
    assert_eq!(labels, [Label::Fake, Label::Real, Label::Real]);
    let classes: Vec<_> = test.samples().iter().map(|sample| sample.class).collect();
    assert_eq!(classes, [Some(Class::Truck), None, Some(Class::Airplane)]);
    assert_eq!(test.samples()[2].id, "test-00000-of-00001.parquet/2");
    assert_eq!(*test.bytes(2).expect("it is there"), *b"third");
    assert_eq!(open_dataset(folder.path(), None).expect("a data set").len(), 6);
}

#[test]
fn a_file_without_names_needs_a_stated_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pictures.parquet");
    write(&path, &ROWS, None, Compression::SNAPPY);
    let named = ParquetDataset::open(
        std::slice::from_ref(&path),
        None,
        LabelOrder::Named(LabelNames::default()),
    );
    assert!(matches!(named, Err(Error::LabelOrder { .. })));
    let given = LabelOrder::Given([Label::Real, Label::Fake]);
    let dataset = ParquetDataset::open(&[path], None, given).expect("a data set");
    assert_eq!(dataset.samples()[0].label, Label::Real);
}

#[test]
fn a_label_out_of_range_and_a_broken_file_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pictures.parquet");
    let open = || {
        ParquetDataset::open(
            std::slice::from_ref(&path),
            None,
            LabelOrder::Named(LabelNames::default()),
        )
    };
    write(&path, &[("first", "a.jpg", 2)], Some(NAMES), Compression::SNAPPY);
    assert!(matches!(open(), Err(Error::ParquetRow { row: 0, .. })));
    write(&path, &ROWS, Some(NAMES), Compression::SNAPPY);
    let whole = std::fs::read(&path).expect("it is there");
    for cut in [0, 3, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).expect("room");
        assert!(matches!(open(), Err(Error::Parquet { .. })), "cut at {cut}");
    }
    for at in (0..whole.len()).step_by(3) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        std::fs::write(&path, &damaged).expect("room");
        // Whatever it is taken for, no panic comes out.
        let _ = open();
    }
}

#[test]
fn what_is_written_is_read_and_written_alike_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let [path, again] =
        ["test-00000-of-00001.parquet", "again.parquet"].map(|name| folder.path().join(name));
    let file = ParquetFile {
        pictures: vec![b"first".to_vec(), b"second".to_vec()],
        names: vec!["0 (10).png".to_owned(), "cat.png".to_owned()],
        labels: vec![Label::Fake, Label::Real],
        columns: vec![
            ("attack".to_owned(), ParquetColumn::Text(vec!["a".to_owned(), "b".to_owned()])),
            ("source".to_owned(), ParquetColumn::Text(vec!["x/0".to_owned(), "y/1".to_owned()])),
            ("seed".to_owned(), ParquetColumn::Whole(vec![1, -2])),
            ("l2".to_owned(), ParquetColumn::Real(vec![0.5, 0.25])),
        ],
    };
    file.write(&path).expect("room");
    file.write(&again).expect("room");
    let bytes = |path: &Path| std::fs::read(path).expect("it was written");
    assert_eq!(bytes(&path), bytes(&again));
    let dataset =
        ParquetDataset::open(&[path], Some(Split::Test), LabelOrder::Named(LabelNames::default()));
    let dataset = dataset.expect("the file says what its labels are");
    let labels: Vec<_> = dataset.samples().iter().map(|sample| sample.label).collect();
    assert_eq!(labels, file.labels);
    assert_eq!(dataset.samples()[0].class, Some(Class::Truck));
    assert_eq!(dataset.samples()[1].source.as_deref(), Some("y/1"));
    assert_eq!(*dataset.bytes(1).expect("it is there"), *b"second");
}
