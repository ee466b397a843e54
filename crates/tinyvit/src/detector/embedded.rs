//! The weights that are part of this crate.

use std::path::Path;

use cifake::weights::Source;

use super::Detector;
use crate::Error;

/// The shipped weights; their model cards in docs/ say how they were trained and how good they are.
const CLEAN: &[u8] = include_bytes!("../../weights/native.safetensors");
const ROBUST: &[u8] = include_bytes!("../../weights/adversarial.safetensors");

impl Detector {
    /// The detector that `which` names: `clean` or `robust`, whose weights are part of this crate, or a
    /// weight file. What a program takes as an argument.
    ///
    /// # Errors
    ///
    /// As [`embedded`](Self::embedded) and [`from_file`](Self::from_file).
    pub fn named(which: &Path) -> Result<Self, Error> {
        match which.to_str() {
            Some("clean") => Self::embedded(),
            Some("robust") => Self::embedded_robust(),
            _ => Self::from_file(which),
        }
    }

    /// The detector whose weights are part of this crate.
    ///
    /// # Errors
    ///
    /// [`Error::Threads`] where the operating system refuses threads.
    pub fn embedded() -> Result<Self, Error> {
        Self::load(Source::Bytes { name: "the embedded weights", bytes: CLEAN })
    }

    /// The detector that was trained against attacks, also part of this crate: it errs a little more
    /// often on pictures that nobody touched, and far less on pictures that somebody changed to
    /// deceive it.
    ///
    /// # Errors
    ///
    /// As [`embedded`](Self::embedded).
    pub fn embedded_robust() -> Result<Self, Error> {
        Self::load(Source::Bytes { name: "the embedded robust weights", bytes: ROBUST })
    }
}
