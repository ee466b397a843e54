//! One line of the list of artifacts.

use cifake::Class;
use serde::Serialize;

/// The subject of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Group {
    /// Shapes, borders and parts of objects.
    Structure,
    /// Bodies of animals.
    Anatomy,
    /// Parts of machines.
    Mechanics,
    /// Surfaces and materials.
    Texture,
    /// Sources of light, shadows and reflections.
    Light,
    /// Depth, scale and perspective.
    Space,
    /// Sharpness, noise and other traces of rendering.
    Rendering,
    /// Colors.
    #[serde(rename = "colour")]
    Color,
    /// Regular patterns, visible or not.
    Pattern,
    /// The composition of the picture.
    Composition,
}

/// The classes of CIFAR-10 whose pictures can have an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concerns {
    Anything,
    Classes(&'static [Class]),
}

/// An entry of the list.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) group: Group,
    pub(super) concerns: Concerns,
    /// Other spellings that differ from the name in more than case and punctuation.
    pub(super) aliases: &'static [&'static str],
}
