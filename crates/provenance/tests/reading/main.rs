//! Declarations of files that the tests write, of hostile files, and of public ones.

mod hostile;
mod shared;
mod sources;
mod writer;
