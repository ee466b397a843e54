//! The command `cifake`: a file a subcommand, and the arguments and exit codes that all programs of
//! this workspace share.

pub mod answers;
pub mod args;
mod attacked;
mod calibrated;
mod cli;
mod color;
mod commands;
mod comparison;
mod curve;
mod declared;
mod degraded;
mod draw;
mod exit;
mod holdout;
mod leaderboard;
mod memory;
mod named;
mod opening;
mod overlays;
pub mod part;
mod progress;
mod results;
mod second_look;
pub mod sets;
mod spared;
pub mod trained;
mod training;
mod unread;

pub use cli::Cli;
pub use draw::balanced;
pub use exit::{BrokenOff, exit_code, parsed};
pub use holdout::Holdout;
pub use memory::peak_resident;
pub use opening::{Opening, lock_folder};
pub use progress::{Progress, progress_bar};
pub use spared::Spared;
