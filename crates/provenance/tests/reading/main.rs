//! Declarations of files that the tests write, of hostile files, and of public ones.

mod hostile;
#[cfg(feature = "c2pa")]
mod manifest;
mod shared;
mod sources;
mod tiff;
mod writer;
