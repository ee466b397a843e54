//! Tools that the tests of several crates share: golden files, closeness, and the doors for
//! fuzzing.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//!
//! let ours = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0001]], &Device::flex());
//! let theirs = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &Device::flex());
//! testkit::assert_close(&ours, &theirs, 1e-4, "an example");
//! ```
//!
//! Everything here panics where a test must fail, with the file or the tensor in the message.

mod closeness;
mod fixture;
pub mod fuzz;

use std::path::{Path, PathBuf};

pub use closeness::{assert_close, relative_difference};
pub use fixture::Fixture;

/// The folder of optional data, or `None` where it does not exist.
///
/// It is named by the environment variable `CIFAKE_SHARED`, by default `../shared` beside the
/// workspace. A test must pass without it.
#[must_use]
pub fn shared_data() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("CIFAKE_SHARED")
        .map_or_else(|| workspace.join("../shared"), |named| workspace.join(named));
    folder.is_dir().then_some(folder)
}
