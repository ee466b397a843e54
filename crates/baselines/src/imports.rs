//! The table of the detectors that are made of published weights.

use crate::aeroblade::AEROBLADE;
use crate::import::Import;
use crate::rigid::RIGID;

/// The detectors that can be imported.
pub const IMPORTS: &[Import] = &[AEROBLADE, RIGID];
