//! Readers of the notes that generators, cameras and programs leave, a file for each.
//!
//! A new generator is a file with a function `read` and a line in [`SOURCES`].

mod a1111;
mod aigc;
mod camera;
mod comfyui;
mod digital_source_type;
mod fooocus;
mod generator;
mod invokeai;
mod novelai;
mod software;
mod swarmui;

#[cfg(feature = "c2pa")]
pub(crate) use digital_source_type::says;

use crate::claim::Claim;
use crate::contents::Contents;

/// Finds the claims of one source.
type Source = fn(&Contents) -> Vec<Claim>;

/// Every source, in the order in which claims are listed.
const SOURCES: &[Source] = &[
    digital_source_type::read,
    aigc::read,
    a1111::read,
    comfyui::read,
    fooocus::read,
    invokeai::read,
    novelai::read,
    swarmui::read,
    camera::read,
    software::read,
];

/// The claims of all sources, each once.
pub(crate) fn claims(contents: &Contents) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for claim in SOURCES.iter().flat_map(|read| read(contents)) {
        if !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}
