//! The subcommands, a file each. Each returns how many of its inputs failed.

pub(crate) mod attack;
pub(crate) mod cam;
pub(crate) mod detect;
pub(crate) mod explain;
pub(crate) mod robustness;
