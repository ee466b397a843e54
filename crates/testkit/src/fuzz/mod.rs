//! The doors through which untrusted bytes enter, and trials of them.
//!
//! A door keeps its promise if it answers, with a value or an error, whatever the bytes are: no
//! panic, no endless loop, no allocation without a limit. The doors of `cifake` stand here; those of
//! the crates above it stand in their `tests/doors.rs`. Each has a test `NAME_door_holds`, which calls
//! [`trial`]; `cargo xtask fuzz` runs the same tests for longer.
//!
//! The driver is our own, without feedback from coverage. libFuzzer would need a C++ compiler and all
//! crates below the doors, burn included, built once more with its instrumentation: a quarter of an
//! hour on two cores. Trials need no build beside that of the tests.

mod mutation;
mod trial;

use std::io::Write;
use std::path::Path;

use cifake::weights::{Checkpoint, Source};
use cifake::{DecodeLimits, Decoder};
use cifake_eval::Manifest;

pub use trial::trial;

/// A door: its name, and what brings bytes to it.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The kind of input, for instance `image`.
    pub name: &'static str,
    /// Lets the bytes in and drops the answer.
    pub open: fn(&[u8]),
}

/// Every door of `cifake`.
pub const DOORS: &[Door] = &[
    Door { name: "image", open: image },
    Door { name: "weights", open: weights },
    Door { name: "zip", open: zip },
    Door { name: "collection", open: collection },
    Door { name: "manifest", open: manifest },
    #[cfg(feature = "parquet")]
    Door { name: "parquet", open: parquet },
    #[cfg(feature = "pytorch")]
    Door { name: "pytorch", open: pytorch },
];

/// The door called `name`.
///
/// # Panics
///
/// If this build has no such door.
#[must_use]
pub fn door(name: &str) -> Door {
    let found = DOORS.iter().find(|door| door.name == name);
    *found.unwrap_or_else(|| panic!("there is no door {name} in this build"))
}

/// A picture of any format, decoded and brought to a model's size.
fn image(bytes: &[u8]) {
    // A fuzzer runs thousands of these a second: smaller limits than a user's, the same code.
    let limits = DecodeLimits::default()
        .with_max_pixels(1 << 20)
        .with_max_file_bytes(1 << 20)
        .with_allocation_budget(16 << 20);
    let _ = Decoder::new(limits).decode_fitted(bytes, 32, 32);
}

/// A safetensors file, down to its tensors.
fn weights(bytes: &[u8]) {
    let _ = Checkpoint::open(Source::Bytes { name: "bytes", bytes });
}

/// A data set inside a zip, down to the bytes of its pictures.
fn zip(bytes: &[u8]) {
    in_file("REAL.zip", bytes, dataset);
}

/// The table of a collection of pictures, beside an archive that holds none.
fn collection(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let empty = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    for (name, content) in [("pictures.zip", empty.as_slice()), ("manifest.csv", bytes)] {
        std::fs::write(folder.path().join(name), content).expect("the disk has room");
    }
    dataset(folder.path());
}

/// The list of a data set's pictures, plain or gzipped.
fn manifest(bytes: &[u8]) {
    in_file("manifest.csv", bytes, |path| {
        let _ = Manifest::read(path);
    });
}

/// A data set inside a parquet file, down to the bytes of its pictures.
#[cfg(feature = "parquet")]
fn parquet(bytes: &[u8]) {
    in_file("test.parquet", bytes, dataset);
}

fn dataset(path: &Path) {
    if let Ok(dataset) = cifake::open_dataset(path, None) {
        for index in 0..dataset.len().min(4) {
            let _ = dataset.bytes(index);
        }
    }
}

/// A PyTorch pickle, down to its tensors.
#[cfg(feature = "pytorch")]
fn pytorch(bytes: &[u8]) {
    in_file("weights.pt", bytes, |path| {
        let _ = Checkpoint::open(Source::File(path));
    });
}

/// Calls `open` with a temporary file `name` of `bytes`, for doors that take a path.
///
/// # Panics
/// If no temporary folder can be made.
pub fn in_file(name: &str, bytes: &[u8], open: fn(&Path)) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join(name);
    let mut file = std::fs::File::create(&path).expect("the folder is writable");
    file.write_all(bytes).expect("the disk has room");
    open(&path);
}
