//! The measures and what each can support.

use std::fmt;

use cifake::Picture;
use serde::{Deserialize, Serialize};

use super::view::View;
use super::{colour, edge, noise, spectrum};
use crate::Artifact;

/// On which side of the ordinary a measure speaks for an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Lower than in camera pictures.
    Low,
    /// Higher than in camera pictures.
    High,
}

struct Entry {
    name: &'static str,
    /// Unit of the value, empty where it has none.
    unit: &'static str,
    artifact: &'static str,
    side: Side,
    /// What a value on that side means, before "most of all in the centre".
    means: &'static str,
    compute: fn(&View) -> f64,
}

/// A number about a picture, with the one artifact that it can support.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Measure(u8);

impl Measure {
    /// All of them, also those that a calibration does not use.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..LIST.len() as u8).map(Self)
    }

    /// The measure of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|measure| measure.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Unit of its values, empty where they have none.
    #[must_use]
    pub fn unit(self) -> &'static str {
        self.entry().unit
    }

    /// The artifact that it can support.
    ///
    /// # Panics
    ///
    /// Never: the table names artifacts of the list.
    #[must_use]
    pub fn artifact(self) -> Artifact {
        Artifact::from_name(self.entry().artifact).expect("the table names artifacts of the list")
    }

    /// On which side of the ordinary it supports it.
    #[must_use]
    pub fn side(self) -> Side {
        self.entry().side
    }

    /// What a value on that side means, in the words of a report.
    #[must_use]
    pub fn means(self) -> &'static str {
        self.entry().means
    }

    /// Its value on `picture`.
    ///
    /// # Panics
    ///
    /// If a side of the picture is shorter than 16 pixels.
    #[must_use]
    pub fn value(self, picture: &Picture) -> f64 {
        assert!(picture.width().min(picture.height()) >= 16, "at least 16 pixels a side");
        self.of(&View::new(picture))
    }

    pub(super) fn of(self, view: &View) -> f64 {
        (self.entry().compute)(view)
    }

    fn entry(self) -> &'static Entry {
        &LIST[usize::from(self.0)]
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The values of all measures on `picture`, in the order of [`Measure::all`].
///
/// # Panics
///
/// If a side of the picture is shorter than 16 pixels.
#[must_use]
pub fn measure_all(picture: &Picture) -> Vec<f64> {
    assert!(picture.width().min(picture.height()) >= 16, "at least 16 pixels a side");
    let view = View::new(picture);
    Measure::all().map(|measure| measure.of(&view)).collect()
}

/// An entry in the order of its columns.
const fn entry(
    name: &'static str,
    unit: &'static str,
    compute: fn(&View) -> f64,
    side: Side,
    artifact: &'static str,
    means: &'static str,
) -> Entry {
    Entry { name, unit, artifact, side, means, compute }
}

use Side::{High, Low};

static LIST: [Entry; 24] = [
    entry(
        "noise level",
        "levels",
        noise::noise_level,
        High,
        "Random noise patterns in detailed areas",
        "fine detail is noisier than a sensor and JPEG leave it",
    ),
    entry(
        "chroma noise",
        "levels",
        noise::chroma_noise,
        High,
        "Unnatural color transitions",
        "colours jump from pixel to pixel",
    ),
    entry(
        "noise inconsistency",
        "",
        noise::noise_inconsistency,
        High,
        "Resolution inconsistencies within regions",
        "noise is uneven, as if parts had been made at different resolutions",
    ),
    entry(
        "residual kurtosis",
        "",
        noise::residual_kurtosis,
        High,
        "Inconsistent material properties",
        "detail is crowded into few places and missing in the others",
    ),
    entry(
        "channel coupling",
        "",
        noise::channel_coupling,
        Low,
        "Color coherence breaks",
        "red, green and blue detail do not move together as behind one lens",
    ),
    entry(
        "flat share",
        "of the pixels",
        noise::flat_share,
        High,
        "Artificial smoothness",
        "surfaces lack the grain that a sensor leaves",
    ),
    entry(
        "sharpness contrast",
        "",
        noise::sharpness_contrast,
        High,
        "Excessive sharpness in certain image regions",
        "few places are sharp and the rest is not",
    ),
    entry(
        "edge width",
        "pixels",
        edge::edge_width,
        Low,
        "Jagged edges in curved structures",
        "edges take fewer pixels than a lens and a reduction leave them",
    ),
    entry(
        "overshoot",
        "of the edge",
        edge::overshoot,
        High,
        "Over-sharpening artifacts",
        "edges swing over, as after sharpening",
    ),
    entry(
        "edge coherence",
        "",
        edge::edge_coherence,
        High,
        "Synthetic material appearance",
        "colour and brightness change at the very same edges, as if painted",
    ),
    entry(
        "centre sharpness",
        "",
        edge::centre_sharpness,
        High,
        "Artificial depth of field in object presentation",
        "the middle is sharp and what surrounds it is not",
    ),
    entry(
        "blockiness",
        "",
        edge::blockiness,
        High,
        "Discontinuous surfaces",
        "brightness jumps at the borders of blocks",
    ),
    entry(
        "spectral slope",
        "",
        spectrum::spectral_slope,
        High,
        "Frequency domain signatures",
        "the spectrum does not fall as that of a photograph",
    ),
    entry(
        "fine detail",
        "log10 of the power",
        spectrum::fine_detail,
        High,
        "Artificial enhancement artifacts",
        "there is more of the finest detail than a reduced photograph holds",
    ),
    entry(
        "checkerboard",
        "",
        spectrum::checkerboard,
        High,
        "Aliasing along high-contrast edges",
        "detail alternates from pixel to pixel",
    ),
    entry(
        "spectral peak",
        "log10",
        spectrum::spectral_peak,
        High,
        "Repeated element patterns",
        "one frequency stands out of the texture",
    ),
    entry(
        "repetition",
        "",
        spectrum::repetition,
        High,
        "Texture repetition patterns",
        "a texture repeats itself",
    ),
    entry(
        "colourfulness",
        "levels",
        colour::colourfulness,
        High,
        "Systematic color distribution anomalies",
        "colours lie further apart than a camera's",
    ),
    entry(
        "saturation",
        "",
        colour::saturation,
        High,
        "Cinematization Effects",
        "colours are as saturated as in a graded film",
    ),
    entry(
        "highlights",
        "of the pixels",
        colour::highlights,
        High,
        "Unrealistic specular highlights",
        "places are burnt out",
    ),
    entry(
        "contrast",
        "levels",
        colour::contrast,
        High,
        "Movie-poster like composition of ordinary scenes",
        "light and shadow are as far apart as on a poster",
    ),
    entry(
        "dark channel",
        "levels",
        colour::dark_channel,
        Low,
        "Dramatic lighting that defies natural physics",
        "every small place holds something almost black, as in staged light",
    ),
    entry(
        "lighting plane",
        "of the variance",
        colour::lighting_plane,
        High,
        "Unnatural Lighting Gradients",
        "brightness changes evenly over everything",
    ),
    entry(
        "symmetry",
        "",
        colour::symmetry,
        Low,
        "Asymmetric features in naturally symmetric objects",
        "left and right differ",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn one_measure_supports_one_artifact_and_no_two_the_same() {
        let artifacts: HashSet<Artifact> = Measure::all().map(Measure::artifact).collect();
        assert_eq!(artifacts.len(), Measure::all().len());
        for measure in Measure::all() {
            assert_eq!(Measure::from_name(measure.name()), Some(measure));
            assert!(measure.means().split_whitespace().count() < 25, "{measure:?}");
        }
    }

    #[test]
    fn every_measure_is_finite_on_what_holds_nothing() {
        let grey = Picture::new(vec![128; 32 * 32 * 3], 32, 32).expect("32x32");
        let board = (0..32 * 32 * 3).map(|i| if (i / 3 / 32 + i / 3) % 2 == 0 { 0 } else { 255 });
        let board = Picture::new(board.collect(), 32, 32).expect("32x32");
        let small = Picture::new((0..16 * 20 * 3).map(|i| (i % 251) as u8).collect(), 20, 16);
        for picture in [grey, board, small.expect("20x16")] {
            for (measure, value) in Measure::all().zip(measure_all(&picture)) {
                assert!(value.is_finite(), "{measure:?}: {value}");
            }
        }
    }
}
