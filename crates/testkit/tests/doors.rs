//! Whatever bytes come to a door, it answers: valid files, files changed in a few places, cut short or
//! spliced, and noise.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

use burn::tensor::TensorData;
use cifake::weights::{Checkpoint, Source, encode};
use image::{ImageFormat, RgbImage};
use proptest::prelude::*;
use testkit::Fixture;
use testkit::fuzz::{DOORS, door};

const TABLE: &str = "file,label,generator,class,source,licence,split,original_width,original_height,\
original_format\na.png,FAKE,\"A, B\",cat,c/d,MIT,train,512,768,PNG\nb.png,REAL,,,e/f,CC0,validation,9,9,JPEG\n";

/// Valid files that would come to the door called `name`.
fn valid(name: &str) -> Vec<Vec<u8>> {
    match name {
        "image" => pictures(),
        "weights" => vec![weights(), weights_in_bytes()],
        "zip" => {
            vec![archive(zip::CompressionMethod::Stored), archive(zip::CompressionMethod::Deflated)]
        }
        "collection" => vec![TABLE.as_bytes().to_vec()],
        "pytorch" => ["small.pt", "small_cream.pth"].map(checkpoint).into(),
        // Only the magic: a file that gets past it must be read with care.
        _ => vec![b"PAR1\0\0\0\0\x15\x04\x19\x4c\x10\0\0\0PAR1".to_vec()],
    }
}

fn pictures() -> Vec<Vec<u8>> {
    let picture =
        RgbImage::from_fn(19, 13, |x, y| image::Rgb([(x * 13) as u8, (y * 19) as u8, 99]));
    let formats = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Gif,
    ];
    let encoded = |format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("an 8-bit picture has every format");
        bytes.into_inner()
    };
    formats.map(encoded).into()
}

fn weights() -> Vec<u8> {
    let mut fixture = Fixture::default();
    fixture.insert("a.weight", TensorData::from([[1.0f32, 2.0, 3.0]]));
    fixture.insert("a.bias", TensorData::from([4.0f32]));
    fixture.to_safetensors()
}

/// A matrix with a scale for each of its rows.
fn weights_in_bytes() -> Vec<u8> {
    let tensors = [
        ("a.weight_scale".to_owned(), TensorData::from([0.5f32, 2.0])),
        ("a.weight".to_owned(), TensorData::from([[1i8, -127, 3], [0, 5, 127]])),
    ];
    encode(&tensors, &BTreeMap::new())
}

fn archive(method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, picture) in ["test/REAL/0 (10).png", "test/FAKE/1.jpg"].iter().zip(pictures()) {
        archive.start_file(*name, options).expect("memory has room");
        archive.write_all(&picture).expect("memory has room");
    }
    archive.finish().expect("memory has room").into_inner()
}

fn checkpoint(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tinyvit/tests/fixtures");
    std::fs::read(folder.join(name)).expect("it is committed")
}

/// One change of a file; places are fractions of its length.
#[derive(Debug, Clone)]
enum Change {
    Set(f64, u8),
    Cut(f64),
    Repeat(f64, u8),
    Insert(f64, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: f64| (at * bytes.len() as f64) as usize;
        match self {
            Self::Set(at, byte) => {
                let place = place(*at);
                bytes[place..].iter_mut().take(1).for_each(|b| *b = *byte);
            }
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Repeat(at, n_bytes) => {
                let start = place(*at);
                let end = bytes.len().min(start + usize::from(*n_bytes));
                bytes.extend_from_within(start..end);
            }
            Self::Insert(at, new) => {
                let place = place(*at);
                bytes.splice(place..place, new.iter().copied());
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    // Headers stand at the start and directories at the end: places there are as likely as the rest.
    let place = prop_oneof![0.0..1.0f64, 0.0..0.02f64, 0.98..1.0f64];
    prop_oneof![
        4 => (place.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => place.clone().prop_map(Change::Cut),
        1 => (place.clone(), any::<u8>()).prop_map(|(at, n)| Change::Repeat(at, n)),
        1 => (place, prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, new)| Change::Insert(at, new)),
    ]
}

#[test]
fn weights_in_bytes_are_multiplied_out() {
    let bytes = weights_in_bytes();
    let source = Source::Bytes { name: "bytes", bytes: &bytes };
    let checkpoint = Checkpoint::open(source).expect("the file is whole");
    let values = checkpoint.tensor("a.weight").expect("it is there").try_to_vec::<f32>();
    assert_eq!(values.expect("f32"), [0.5, -63.5, 1.5, 0.0, 10.0, 254.0]);
    assert_eq!(checkpoint.info().n_tensors, 1);
}

#[test]
fn every_door_lets_valid_files_in() {
    for door in DOORS {
        for bytes in valid(door.name) {
            (door.open)(&bytes);
        }
        (door.open)(&[]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn changed_files_open_no_door_by_force(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        for door in DOORS {
            let files = valid(door.name);
            let mut bytes = files[pick.index(files.len())].clone();
            for change in &changes {
                change.apply(&mut bytes);
            }
            (door.open)(&bytes);
        }
    }

    #[test]
    fn noise_opens_no_door_by_force(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        for door in DOORS {
            (door.open)(&bytes);
        }
    }
}

#[test]
fn doors_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = DOORS.iter().map(|door| door.name).collect();
    assert_eq!(names.len(), DOORS.len());
    assert_eq!(door("image").name, "image");
}
