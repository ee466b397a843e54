//! Collections of pictures with a table of what they are, well-formed or not.
#![cfg(feature = "zip")]

use std::fs::File;
use std::io::Write;
use std::path::Path;

use cifake::{Class, Dataset, Error, Label, Split, open_dataset};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const HEAD: &str = "file,label,generator,class,source,licence,split,original_width,\
                    original_height,original_format";
const ROWS: [&str; 4] = [
    "a.png,FAKE,Model A,cat,one/two,\"MIT, mostly\",train,512,768,PNG",
    "b.png,REAL,,other,three/four,CC0,validation,640,480,JPEG",
    "c.png,FAKE,Model B,,five/six,CC0,validation,32,32,PNG",
    "d.png,REAL,,truck,three/four,CC0,train,640,480,JPEG",
];

fn png(level: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(4, 3, image::Rgb([level, 1, 2]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("the encoder knows RGB");
    bytes.into_inner()
}

/// A folder with the pictures a to d, of which b and d have the same pixels, and a table of `rows`.
fn collection(rows: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = File::create(folder.path().join("pictures.zip")).expect("room");
    let mut zip = ZipWriter::new(file);
    for (name, level) in [("d.png", 9), ("c.png", 3), ("notes.txt", 0), ("b.png", 9), ("a.png", 1)]
    {
        zip.start_file(name, SimpleFileOptions::default()).expect("room");
        zip.write_all(&png(level)).expect("room");
    }
    zip.finish().expect("room");
    let table = [&[HEAD], rows].concat().join("\n");
    std::fs::write(folder.path().join("manifest.csv"), table).expect("room");
    folder
}

fn open(path: &Path, split: Option<Split>) -> Result<Box<dyn Dataset>, Error> {
    open_dataset(path, split)
}

#[test]
fn a_sample_says_what_its_row_says() {
    let folder = collection(&ROWS);
    let all = open(folder.path(), None).expect("a collection");
    let ids: Vec<&str> = all.samples().iter().map(|sample| sample.id.as_str()).collect();
    assert_eq!(ids, ["d.png", "c.png", "b.png", "a.png"]);
    let [truck, small, photograph, cat] = all.samples() else { panic!("four pictures") };
    assert_eq!((cat.label, cat.class), (Label::Fake, Some(Class::Cat)));
    assert_eq!(cat.generator.as_deref(), Some("Model A"));
    let origin = cat.origin.as_ref().expect("the row says it");
    assert_eq!((origin.publisher.as_str(), origin.licence.as_str()), ("one/two", "MIT, mostly"));
    assert_eq!((origin.width, origin.height, origin.format.as_str()), (512, 768, "PNG"));
    assert_eq!((cat.split, small.split), (Some(Split::Train), Some(Split::Validation)));
    assert_eq!((photograph.label, photograph.class), (Label::Real, None));
    assert_eq!((&photograph.generator, truck.class), (&None, Some(Class::Truck)));
    assert!(all.samples().iter().all(|sample| sample.source.is_none()));
    assert_eq!(*all.bytes(3).expect("it is there"), png(1));
}

#[test]
fn a_split_is_the_tables() {
    let folder = collection(&ROWS);
    let validation = open(folder.path(), Some(Split::Validation)).expect("a collection");
    let ids: Vec<&str> = validation.samples().iter().map(|sample| sample.id.as_str()).collect();
    assert_eq!(ids, ["c.png", "b.png"]);
    let error = open(folder.path(), Some(Split::Test)).err().expect("there is no test picture");
    assert!(matches!(error, Error::EmptySplit { .. }), "{error}");
}

#[test]
fn a_row_that_cannot_be_used_is_an_error_that_names_it() {
    let long = format!("c.png,FAKE,{},,x,y,train,3,3,PNG", "m".repeat(513));
    for (row, part) in [
        ("e.png,REAL,,,x,y,train,3,3,PNG", "not in the archive"),
        ("a.png,REAL,,,x,y,train,3,3,PNG", "another row"),
        ("c.png,MAYBE,,,x,y,train,3,3,PNG", "label"),
        ("c.png,FAKE,,,x,y,train,3,3,PNG", "generator"),
        ("c.png,REAL,Model,,x,y,train,3,3,PNG", "generator"),
        ("c.png,REAL,,,x,y,later,3,3,PNG", "split"),
        ("c.png,REAL,,,x,y,train,0,3,PNG", "size"),
        (long.as_str(), "512 bytes"),
    ] {
        let folder = collection(&[ROWS[0], row]);
        let error = open(folder.path(), None).err().expect("the row is broken");
        assert!(matches!(error, Error::CollectionRow { row: 2, .. }), "{row}: {error}");
        assert!(error.to_string().contains(part), "{row}: {error}");
    }
}

#[test]
fn a_table_that_is_none_is_an_error() {
    for table in ["", "file,label\na.png,REAL\n", "\u{0}\u{1}", "file\n\"a"] {
        let folder = collection(&ROWS);
        std::fs::write(folder.path().join("manifest.csv"), table).expect("room");
        let error = open(folder.path(), None).err();
        let is_refused = matches!(error, Some(Error::Collection { .. } | Error::NoImages { .. }));
        assert!(is_refused, "{table:?}: {error:?}");
    }
    let folder = collection(&[ROWS[0], "b.png,REAL,,,x,y,train,-3,3,PNG"]);
    assert!(matches!(open(folder.path(), None), Err(Error::Collection { .. })));
}
