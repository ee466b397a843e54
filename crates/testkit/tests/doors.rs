//! Whatever bytes come to a door, it answers: valid files, files changed in a few places, cut short or
//! spliced, and noise.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

use burn::tensor::TensorData;
use cifake::weights::{Checkpoint, Source, encode};
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ImageFormat, RgbImage};
use testkit::Fixture;
use testkit::fuzz::{DOORS, Door, door, trial};

const TABLE: &str = "file,label,generator,class,source,licence,split,original_width,original_height,\
original_format\na.png,FAKE,\"A, B\",cat,c/d,MIT,train,512,768,PNG\nb.png,REAL,,,e/f,CC0,validation,9,9,JPEG\n";

const MANIFEST: &str = "path,split,label,class,pixel_sha256_16,dup_of,leak_test_in_train\n\
test/FAKE/0 (10).jpg,test,FAKE,truck,dd0d43cf0a1f7425,,0\n\
test/REAL/0.jpg,test,REAL,,00000000000000ff,test/FAKE/0 (10).jpg,1\n";

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
    let mut pictures = formats.map(encoded).to_vec();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cifake/tests/fixtures");
    let layouts = ["progressive_restarts.jpg", "scans_cmyk.jpg", "turned.jpg", "frames.gif"];
    let committed = |name| std::fs::read(folder.join(name)).expect("it is committed");
    pictures.extend(layouts.map(committed));
    pictures
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

#[cfg(feature = "pytorch")]
fn checkpoint(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tinyvit/tests/fixtures");
    std::fs::read(folder.join(name)).expect("it is committed")
}

/// The declarations of a picture's file, down to their words.
fn declarations(bytes: &[u8]) {
    if let Ok(declarations) = provenance::read(bytes) {
        let _ = declarations.to_string();
    }
}

/// Pictures with metadata of every kind that is read.
fn declaring() -> Vec<Vec<u8>> {
    let settings = "a cat\nSteps: 20, Sampler: Euler a, Seed: 1, Model: sd15";
    let graph = r#"{"4": {"class_type": "Loader", "inputs": {"ckpt_name": "m"}}}"#;
    let packet = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
        xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:DigitalSourceType="digitalCapture"/></rdf:RDF>"#;
    let comment = [b"ASCII\0\0\0", settings.as_bytes()].concat();
    let length = u32::try_from(comment.len()).expect("a short comment");
    let field =
        [b"\x86\x92\x07\0".as_slice(), &length.to_le_bytes(), &26_u32.to_le_bytes()].concat();
    let block = [b"II*\0\x08\0\0\0\x01\0".as_slice(), &field, &[0; 4], &comment].concat();
    let chunk = |kind: &[u8; 4], body: &[u8]| {
        let length = u32::try_from(body.len()).expect("a short chunk");
        [&length.to_be_bytes(), kind.as_slice(), body, &[0; 4]].concat()
    };
    let text = |key: &str, value: &str| chunk(b"tEXt", &[key, "\0", value].concat().into_bytes());
    let xmp = [b"XML:com.adobe.xmp\0\0\0\0\0", packet.as_bytes()].concat();
    let png = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        text("parameters", settings),
        text("prompt", graph),
        chunk(b"eXIf", &block),
        chunk(b"iTXt", &xmp),
        chunk(b"IEND", b""),
    ];
    let segment = |body: &[u8]| {
        let length = u16::try_from(body.len() + 2).expect("a short segment");
        [b"\xff\xe1".as_slice(), &length.to_be_bytes(), body].concat()
    };
    let exif = segment(&[b"Exif\0\0", block.as_slice()].concat());
    let xmp = segment(&[b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat());
    vec![png.concat(), [b"\xff\xd8".as_slice(), &exif, &xmp, b"\xff\xd9"].concat()]
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
fn image_door_holds() {
    trial(&door("image"), &pictures());
}

#[test]
fn provenance_door_holds() {
    for file in declaring() {
        let declarations = provenance::read(&file).expect("the file is whole");
        assert!(declarations.say_ai(), "{declarations}");
    }
    // A TIFF of one page that names a directory below it.
    let tiff = b"II*\0\x08\0\0\0\x01\0\x4a\x01\x04\0\x01\0\0\0\x08\0\0\0\0\0\0\0".to_vec();
    trial(&Door { name: "provenance", open: declarations }, &[declaring(), vec![tiff]].concat());
}

#[test]
fn weights_door_holds() {
    trial(&door("weights"), &[weights(), weights_in_bytes()]);
}

#[test]
fn zip_door_holds() {
    let methods = [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated];
    trial(&door("zip"), &methods.map(archive));
}

#[test]
fn collection_door_holds() {
    trial(&door("collection"), &[TABLE.as_bytes().to_vec()]);
}

#[test]
fn manifest_door_holds() {
    let rows = MANIFEST.as_bytes().to_vec();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&rows).expect("memory has room");
    trial(&door("manifest"), &[rows, packed.finish().expect("memory has room")]);
}

#[cfg(feature = "pytorch")]
#[test]
fn pytorch_door_holds() {
    trial(&door("pytorch"), &["small.pt", "small_cream.pth"].map(checkpoint));
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_door_holds() {
    // Only the magic: a file that gets past it must be read with care.
    trial(&door("parquet"), &[b"PAR1\0\0\0\0\x15\x04\x19\x4c\x10\0\0\0PAR1".to_vec()]);
}

#[test]
fn doors_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = DOORS.iter().map(|door| door.name).collect();
    assert_eq!(names.len(), DOORS.len());
    assert_eq!(door("image").name, "image");
}
