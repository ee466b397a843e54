//! The weights that are part of this crate.

use cifake::weights::Source;

use super::Detector;
use crate::Error;

/// The shipped weights; their model cards in docs/ say how they were trained and how good they are.
const CLEAN: &[u8] = include_bytes!("../../weights/native.safetensors");
const ROBUST: &[u8] = include_bytes!("../../weights/adversarial.safetensors");

impl Detector {
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
