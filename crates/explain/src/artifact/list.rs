//! The list itself, from the contest's statement, in its order and spelling.
//!
//! The classes that an artifact can concern follow the tables of the system of which this project is the successor;
//! groups and aliases are ours.

use cifake::Class;

use super::entry::{
    Concerns::{Anything, Classes},
    Entry, Group,
};

const ANIMALS: &[Class] =
    &[Class::Bird, Class::Cat, Class::Deer, Class::Dog, Class::Frog, Class::Horse];
const VEHICLES: &[Class] = &[Class::Airplane, Class::Automobile, Class::Ship, Class::Truck];

pub(super) static LIST: [Entry; 70] = [
    entry("Inconsistent object boundaries", Group::Structure, Anything, &[]),
    entry("Discontinuous surfaces", Group::Structure, Anything, &[]),
    entry("Non-manifold geometries in rigid structures", Group::Structure, Anything, &[]),
    entry("Floating or disconnected components", Group::Structure, Anything, &[]),
    entry("Asymmetric features in naturally symmetric objects", Group::Structure, Anything, &[]),
    entry(
        "Misaligned bilateral elements in animal faces",
        Group::Anatomy,
        Classes(ANIMALS),
        &["Misaligned bilateral elements"],
    ),
    entry(
        "Irregular proportions in mechanical components",
        Group::Mechanics,
        Classes(VEHICLES),
        &[],
    ),
    entry(
        "Texture bleeding between adjacent regions",
        Group::Texture,
        Anything,
        &["Texture bleeding"],
    ),
    entry("Texture repetition patterns", Group::Pattern, Anything, &[]),
    entry(
        "Over-smoothing of natural textures",
        Group::Texture,
        Classes(ANIMALS),
        &["Over-smoothing"],
    ),
    entry(
        "Artificial noise patterns in uniform surfaces",
        Group::Rendering,
        Classes(VEHICLES),
        &["Artificial noise patterns"],
    ),
    entry("Unrealistic specular highlights", Group::Light, Anything, &[]),
    entry("Inconsistent material properties", Group::Texture, Anything, &[]),
    entry(
        "Metallic surface artifacts",
        Group::Texture,
        Classes(VEHICLES),
        &["Metallic surface artefacts"],
    ),
    entry("Dental anomalies in mammals", Group::Anatomy, Classes(&[Class::Dog, Class::Horse]), &[]),
    entry(
        "Anatomically incorrect paw structures",
        Group::Anatomy,
        Classes(&[Class::Cat, Class::Dog]),
        &[],
    ),
    entry(
        "Improper fur direction flows",
        Group::Anatomy,
        Classes(&[Class::Cat, Class::Deer, Class::Dog]),
        &[],
    ),
    entry("Unrealistic eye reflections", Group::Light, Classes(ANIMALS), &[]),
    entry("Misshapen ears or appendages", Group::Anatomy, Classes(ANIMALS), &[]),
    entry("Impossible mechanical connections", Group::Mechanics, Classes(VEHICLES), &[]),
    entry("Inconsistent scale of mechanical parts", Group::Mechanics, Classes(VEHICLES), &[]),
    entry("Physically impossible structural elements", Group::Mechanics, Classes(VEHICLES), &[]),
    entry("Inconsistent shadow directions", Group::Light, Anything, &[]),
    entry("Multiple light source conflicts", Group::Light, Anything, &[]),
    entry("Missing ambient occlusion", Group::Light, Anything, &[]),
    entry("Incorrect reflection mapping", Group::Light, Anything, &[]),
    entry("Incorrect perspective rendering", Group::Space, Anything, &[]),
    entry("Scale inconsistencies within single objects", Group::Space, Anything, &[]),
    entry("Spatial relationship errors", Group::Space, Anything, &[]),
    entry("Depth perception anomalies", Group::Space, Anything, &[]),
    entry(
        "Over-sharpening artifacts",
        Group::Rendering,
        Anything,
        &["Over-sharpening artefacts", "Oversharpening"],
    ),
    entry("Aliasing along high-contrast edges", Group::Rendering, Anything, &[]),
    entry("Blurred boundaries in fine details", Group::Rendering, Anything, &[]),
    entry("Jagged edges in curved structures", Group::Rendering, Anything, &[]),
    entry("Random noise patterns in detailed areas", Group::Rendering, Anything, &[]),
    entry(
        "Loss of fine detail in complex structures",
        Group::Rendering,
        Anything,
        &["Loss of fine detail"],
    ),
    entry(
        "Artificial enhancement artifacts",
        Group::Rendering,
        Anything,
        &["Artificial enhancement artefacts"],
    ),
    entry(
        "Incorrect wheel geometry",
        Group::Mechanics,
        Classes(&[Class::Automobile, Class::Truck]),
        &[],
    ),
    entry("Implausible aerodynamic structures", Group::Mechanics, Classes(&[Class::Airplane]), &[]),
    entry("Misaligned body panels", Group::Mechanics, Classes(VEHICLES), &[]),
    entry(
        "Impossible mechanical joints",
        Group::Mechanics,
        Classes(&[Class::Airplane, Class::Automobile, Class::Truck]),
        &[],
    ),
    entry(
        "Distorted window reflections",
        Group::Light,
        Classes(&[Class::Airplane, Class::Automobile, Class::Truck]),
        &[],
    ),
    entry("Anatomically impossible joint configurations", Group::Anatomy, Classes(ANIMALS), &[]),
    entry(
        "Unnatural pose artifacts",
        Group::Anatomy,
        Classes(ANIMALS),
        &["Unnatural pose artefacts"],
    ),
    entry("Biological asymmetry errors", Group::Anatomy, Classes(ANIMALS), &[]),
    entry(
        "Regular grid-like artifacts in textures",
        Group::Pattern,
        Classes(ANIMALS),
        &["Regular grid-like artefacts in textures", "Grid-like artifacts"],
    ),
    entry("Repeated element patterns", Group::Pattern, Anything, &[]),
    entry(
        "Systematic color distribution anomalies",
        Group::Color,
        Anything,
        &["Systematic colour distribution anomalies"],
    ),
    entry("Frequency domain signatures", Group::Pattern, Anything, &[]),
    entry("Color coherence breaks", Group::Color, Anything, &["Colour coherence breaks"]),
    entry("Unnatural color transitions", Group::Color, Anything, &["Unnatural colour transitions"]),
    entry("Resolution inconsistencies within regions", Group::Rendering, Anything, &[]),
    entry(
        "Unnatural Lighting Gradients",
        Group::Light,
        Anything,
        &["Unrealistic lighting gradients"],
    ),
    entry("Incorrect Skin Tones", Group::Color, Anything, &[]),
    entry("Fake depth of field", Group::Space, Anything, &["False depth of field"]),
    entry("Abruptly cut off objects", Group::Structure, Anything, &[]),
    entry(
        "Glow or light bleed around object boundaries",
        Group::Light,
        Anything,
        &["Glow or light bleed"],
    ),
    entry(
        "Ghosting effects: Semi-transparent duplicates of elements",
        Group::Structure,
        Anything,
        &["Ghosting effects", "Ghosting"],
    ),
    entry("Cinematization Effects", Group::Composition, Anything, &[]),
    entry("Excessive sharpness in certain image regions", Group::Rendering, Anything, &[]),
    entry("Artificial smoothness", Group::Texture, Anything, &[]),
    entry(
        "Movie-poster like composition of ordinary scenes",
        Group::Composition,
        Anything,
        &["Movie-poster-like composition"],
    ),
    entry(
        "Dramatic lighting that defies natural physics",
        Group::Light,
        Anything,
        &["Dramatic lighting"],
    ),
    entry(
        "Artificial depth of field in object presentation",
        Group::Space,
        Anything,
        &["Artificial depth of field"],
    ),
    entry("Unnaturally glossy surfaces", Group::Texture, Anything, &[]),
    entry("Synthetic material appearance", Group::Texture, Anything, &[]),
    entry("Multiple inconsistent shadow sources", Group::Light, Anything, &[]),
    entry("Exaggerated characteristic features", Group::Composition, Anything, &[]),
    entry("Impossible foreshortening in animal bodies", Group::Anatomy, Classes(ANIMALS), &[]),
    entry("Scale inconsistencies within the same object class", Group::Space, Anything, &[]),
];

const fn entry(
    name: &'static str,
    group: Group,
    concerns: super::entry::Concerns,
    aliases: &'static [&'static str],
) -> Entry {
    Entry { name, group, concerns, aliases }
}
