//! Data sets in zip archives, well-formed or not.
#![cfg(feature = "zip")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use cifake::{Class, Dataset, Error, Label, LabelNames, Split, ZipDataset, open_dataset};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const CONTENT: &[u8] = b"a picture, a picture, a picture";

fn archive(path: &Path, method: CompressionMethod, names: &[&str]) {
    let mut zip = ZipWriter::new(File::create(path).expect("room"));
    for name in names {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(*name, options).expect("room");
        zip.write_all(CONTENT).expect("room");
        zip.write_all(name.as_bytes()).expect("room");
    }
    zip.finish().expect("room");
}

fn content(name: &str) -> Vec<u8> {
    [CONTENT, name.as_bytes()].concat()
}

#[test]
fn members_are_read_in_place_by_many_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let real = ["test/REAL/0.jpg", "test/REAL/0 (2).jpg", "test/REAL/.hidden", "test/other/1.jpg"];
    let fake = ["test/FAKE/0.jpg", "train/FAKE/1 (7).jpg"];
    archive(&folder.path().join("b_REAL.zip"), CompressionMethod::Stored, &real);
    archive(&folder.path().join("a_FAKE.zip"), CompressionMethod::Deflated, &fake);
    let all = open_dataset(folder.path(), None).expect("a data set");
    let ids: Vec<_> = all.samples().iter().map(|sample| sample.id.as_str()).collect();
    assert_eq!(ids, [fake[0], fake[1], real[0], real[1]]);
    assert_eq!(all.samples()[1].class, Some(Class::Frog));
    assert_eq!(all.samples()[2].label, Label::Real);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for (index, id) in ids.iter().enumerate() {
                    assert_eq!(*all.bytes(index).expect("well-formed"), content(id));
                }
            });
        }
    });
    let test = open_dataset(folder.path(), Some(Split::Test)).expect("a data set");
    assert_eq!(test.len(), 3);
}

#[test]
fn a_file_that_is_no_archive_and_one_without_pictures_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zip");
    std::fs::write(&path, b"no archive").expect("room");
    assert!(matches!(
        ZipDataset::open(std::slice::from_ref(&path), None, &LabelNames::default()),
        Err(Error::Zip { .. })
    ));
    archive(&path, CompressionMethod::Stored, &["REAL/0.jpg", "photos/1.jpg", "notes/a.txt"]);
    let error = ZipDataset::open(std::slice::from_ref(&path), None, &LabelNames::default());
    let error = error.expect_err("FAKE is missing").to_string();
    assert!(error.contains("`photos`") && !error.contains("notes"), "{error}");
    archive(&path, CompressionMethod::Stored, &["unlabelled.jpg"]);
    assert!(matches!(
        ZipDataset::open(&[path], None, &LabelNames::default()),
        Err(Error::NoImages { .. })
    ));
}

fn opened(path: &Path, change: impl Fn(&mut Vec<u8>)) -> Result<ZipDataset, Error> {
    let mut bytes = std::fs::read(path).expect("it is there");
    change(&mut bytes);
    std::fs::write(path, bytes).expect("room");
    ZipDataset::open(&[PathBuf::from(path)], None, &LabelNames::default())
}

#[test]
fn a_damaged_member_is_an_error_that_names_it_and_spares_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zip");
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        archive(&path, method, &["REAL/0.jpg", "REAL/1.jpg"]);
        // The content of the first member stands behind 30 bytes and its name.
        let dataset = opened(&path, |bytes| bytes[30 + "REAL/0.jpg".len() + 3] ^= 0x55)
            .expect("the directory is whole");
        let error = dataset.bytes(0).expect_err("it is damaged");
        assert!(error.to_string().contains("`REAL/0.jpg`"), "{error}");
        assert_eq!(*dataset.bytes(1).expect("it is whole"), content("REAL/1.jpg"));
    }
}

#[test]
fn a_member_that_claims_gigabytes_is_refused_when_the_archive_is_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zip");
    archive(&path, CompressionMethod::Deflated, &["REAL/0.jpg"]);
    let claim = |bytes: &mut Vec<u8>| {
        let directory = bytes.windows(4).position(|found| found == b"PK\x01\x02");
        let size = directory.expect("a directory") + 24;
        bytes[size..size + 4].copy_from_slice(&0xf000_0000_u32.to_le_bytes());
    };
    let error = opened(&path, claim).expect_err("it claims 4 GB");
    assert!(matches!(error, Error::ZipEntry { .. }), "{error}");
}
