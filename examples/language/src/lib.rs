//! What the programs about language models share.

mod exit;

pub use exit::exit_code;
