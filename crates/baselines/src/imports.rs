//! The table of the detectors that are made of published weights.

use crate::aeroblade::AEROBLADE;
use crate::clip::CLIP;
use crate::dire::DIRE;
use crate::import::Import;
use crate::rigid::RIGID;
use crate::vit::VIT;

/// The detectors that can be imported.
pub const IMPORTS: &[Import] = &[AEROBLADE, CLIP, DIRE, RIGID, VIT];
