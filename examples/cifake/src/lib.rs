//! The command `cifake`: a file a subcommand, and the arguments and exit codes that all programs of
//! this workspace share.

pub mod args;
mod attacked;
mod cli;
mod commands;
mod comparison;
mod curve;
mod draw;
mod exit;
mod judged;
mod overlays;
pub mod part;
mod progress;

pub use cli::Cli;
pub use draw::balanced;
pub use exit::{exit_code, in_words, one_line};
pub use judged::judged;
pub use progress::progress_bar;
