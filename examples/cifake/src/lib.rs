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
pub mod part;
mod progress;
mod report;
mod results;

pub use cli::Cli;
pub use draw::balanced;
pub use exit::exit_code;
pub use progress::progress_bar;
pub use report::report;
