//! Manifests of data sets, well-formed or not.

use std::fs;
use std::path::Path;

use cifake::{Decoder, Error, Split, open_dataset};
use cifake_eval::Manifest;
use tempfile::TempDir;

/// A PNG of 32x32 equal pixels.
fn png(level: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(32, 32, image::Rgb([level, 1, 2]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("the encoder knows RGB");
    bytes.into_inner()
}

fn write(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("room");
    fs::write(path, content).expect("room");
}

/// Two splits; level 10 twice in train, level 20 in train and test, level 30 twice in test.
fn splits() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, level) in [
        ("train/REAL/0000.png", 10),
        ("train/REAL/0001 (2).png", 10),
        ("train/FAKE/0000 (10).png", 20),
        ("test/fake/0.png", 20),
        ("test/fake/1.png", 30),
        ("test/fake/2.png", 30),
        ("test/real/0 (3).png", 40),
    ] {
        write(folder.path(), name, &png(level));
    }
    folder
}

#[test]
fn a_manifest_drops_leaks_and_keeps_the_first_of_each_group() {
    let folder = splits();
    let decoder = Decoder::default();
    let [train, test] = [Split::Train, Split::Test]
        .map(|split| open_dataset(folder.path(), Some(split)).expect("a data set"));
    let manifest = Manifest::compute(&*train, &*test, &decoder);
    // train: FAKE/0000 (10), REAL/0000, REAL/0001 (2); test: fake/0, fake/1, fake/2, real/0 (3).
    assert_eq!(manifest.deduplicated(&*train, Split::Train).expect("listed"), [0, 1]);
    assert_eq!(manifest.deduplicated(&*test, Split::Test).expect("listed"), [1, 3]);
    let row = |id: &str| {
        let row = manifest.rows().iter().find(|row| row.id == id).expect("listed");
        (row.dup_of.as_deref(), row.leak_test_in_train)
    };
    assert_eq!(row("test/fake/0.png"), (Some("train/FAKE/0000 (10).png"), true));
    assert_eq!(row("test/fake/2.png"), (Some("test/fake/1.png"), false));
    assert_eq!(row("train/REAL/0001 (2).png"), (Some("train/REAL/0000.png"), false));
    assert_eq!(row("train/REAL/0000.png"), (None, false));
    let hashes = manifest.pixel_hashes(&*train, Split::Train).expect("listed");
    assert!(hashes[1] == hashes[2] && hashes[0] != hashes[1]);

    for name in ["manifest.csv", "manifest.csv.gz"] {
        let path = folder.path().join(name);
        manifest.write(&path).expect("room");
        assert_eq!(Manifest::read(&path).expect("just written"), manifest);
    }
    assert!(matches!(
        manifest.deduplicated(&*train, Split::Test),
        Err(Error::NotInManifest { .. })
    ));
}

#[test]
fn a_broken_manifest_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let header = "path,split,label,class,pixel_sha256_16,dup_of,leak_test_in_train\n";
    for row in ["a,nowhere,REAL,,00,,0", "a,test,REAL,,xyz,,0", "a,test,REAL", "a,test,MAYBE,,,,"] {
        write(folder.path(), "manifest.csv", format!("{header}{row}\n").as_bytes());
        let error = Manifest::read(&folder.path().join("manifest.csv")).expect_err(row);
        assert!(error.to_string().contains("manifest.csv"), "{error}");
    }
}
