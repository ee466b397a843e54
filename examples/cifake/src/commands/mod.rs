//! The subcommands, a file each. Each returns how many of its inputs failed.

pub(crate) mod attack;
pub(crate) mod calibrate;
pub(crate) mod cam;
pub(crate) mod detect;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod leaderboard;
pub(crate) mod robustness;
#[cfg(feature = "serve")]
pub(crate) mod serve;
pub(crate) mod train;
