//! The table of the detectors that are made of published weights.

use crate::aeroblade::AEROBLADE;
use crate::import::Import;

/// The detectors that can be imported.
pub const IMPORTS: &[Import] = &[AEROBLADE];
