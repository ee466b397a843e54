//! llama.cpp files.

mod block;
mod file;
mod header;
mod names;

pub use file::Gguf;
pub use header::Value;

#[cfg(test)]
pub(crate) use block::Kind;
pub(crate) use header::Header;
#[cfg(test)]
pub(crate) use header::Info;
