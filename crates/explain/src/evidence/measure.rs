//! The measures, and the artifact that each can support.

use std::fmt;
use std::str::FromStr;

use cifake::Picture;
use gradcam::HeatMap;
use serde::{Deserialize, Serialize};

use super::fault::UnknownMeasure;
use super::measured::Measured;
use super::view::View;
use super::{color, edge, light, noise, sharpness, spectrum};
use crate::Artifact;

/// The side of the camera pictures' values on which a measure supports its artifact.
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
    /// Unit of the value; empty if it has no unit.
    unit: &'static str,
    artifact: &'static str,
    side: Side,
    /// The meaning of a value on that side, continued by "most of all in the centre".
    means: &'static str,
    compute: fn(&View) -> Measured,
}

/// A number about a picture, with the one artifact that it can support.
///
/// `FromStr` reads its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Measure(u8);

impl Measure {
    /// All of them, also those that a calibration does not use.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..LIST.len() as u8).map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Unit of its values; empty if they have no unit.
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
        self.entry().artifact.parse().expect("the table names artifacts of the list")
    }

    /// The side on which it supports the artifact.
    #[must_use]
    pub fn side(self) -> Side {
        self.entry().side
    }

    /// The meaning of a value on that side, in the words of a report.
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
        self.of(&View::new(checked(picture))).value
    }

    /// The places of `picture` from which its value comes, at the measure's own size.
    ///
    /// # Panics
    ///
    /// If a side of the picture is shorter than 16 pixels.
    #[must_use]
    pub fn map(self, picture: &Picture) -> HeatMap {
        self.of(&View::new(checked(picture))).heat_map()
    }

    pub(super) fn of(self, view: &View) -> Measured {
        (self.entry().compute)(view)
    }

    /// Its place among all.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    fn entry(self) -> &'static Entry {
        &LIST[self.index()]
    }
}

impl FromStr for Measure {
    type Err = UnknownMeasure;

    fn from_str(name: &str) -> Result<Self, UnknownMeasure> {
        let found = Self::all().find(|measure| measure.name() == name);
        found.ok_or_else(|| UnknownMeasure { name: name.chars().take(80).collect() })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
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
    let view = View::new(checked(picture));
    Measure::all().map(|measure| measure.of(&view).value).collect()
}

/// `picture`, if blocks and windows fit into it.
fn checked(picture: &Picture) -> &Picture {
    assert!(picture.width().min(picture.height()) >= 16, "at least 16 pixels a side");
    picture
}

/// An entry in the order of its columns.
const fn entry(
    name: &'static str,
    unit: &'static str,
    compute: fn(&View) -> Measured,
    side: Side,
    artifact: &'static str,
    means: &'static str,
) -> Entry {
    Entry { name, unit, artifact, side, means, compute }
}

use Side::{High, Low};

static LIST: [Entry; 24] = [
    entry(
        "edge aliasing",
        "of the slope",
        edge::edge_aliasing,
        High,
        "Aliasing along high-contrast edges",
        "strong edges jump within a single pixel, as detail does that was sampled without smoothing",
    ),
    entry(
        "sharpness inconsistency",
        "",
        sharpness::sharpness_inconsistency,
        High,
        "Resolution inconsistencies within regions",
        "sharpness differs from block to block, as if parts had been made at different resolutions",
    ),
    entry(
        "quiet share",
        "of the pixels",
        noise::quiet_share,
        High,
        "Artificial smoothness",
        "surfaces lack the grain that a sensor leaves",
    ),
    entry(
        "high-frequency share",
        "of the power",
        spectrum::high_frequency_share,
        High,
        "Frequency domain signatures",
        "more power lies at the highest frequencies than in a reduced photograph",
    ),
    entry(
        "detail noise",
        "levels",
        noise::detail_noise,
        High,
        "Random noise patterns in detailed areas",
        "detailed areas fluctuate from pixel to pixel like noise",
    ),
    entry(
        "edge overshoot",
        "of the step",
        edge::edge_overshoot,
        High,
        "Over-sharpening artifacts",
        "brightness swings back behind strong steps, as after sharpening",
    ),
    entry(
        "centre sharpness",
        "",
        sharpness::centre_sharpness,
        High,
        "Fake depth of field",
        "the middle is sharp and what surrounds it fades",
    ),
    entry(
        "planar shading",
        "of the variance",
        light::planar_shading,
        High,
        "Unnatural Lighting Gradients",
        "quiet areas are perfectly even ramps of light, without grain",
    ),
    entry(
        "clipped dark",
        "of the pixels",
        color::clipped_dark,
        High,
        "Artificial enhancement artifacts",
        "colour channels are crushed to black, as by strong enhancement",
    ),
    entry(
        "sharpest block",
        "",
        sharpness::sharpest_block,
        High,
        "Excessive sharpness in certain image regions",
        "one part is far sharper than the rest",
    ),
    entry(
        "colour off edges",
        "of the change of colour",
        edge::color_off_edges,
        Low,
        "Unnatural color transitions",
        "colours switch at outlines and hardly drift within surfaces",
    ),
    entry(
        "highlight share",
        "of the bright spots",
        light::highlight_share,
        High,
        "Unrealistic specular highlights",
        "small bright spots sit on what is brightest already, like pasted highlights",
    ),
    entry(
        "channel incoherence",
        "levels",
        noise::channel_incoherence,
        High,
        "Color coherence breaks",
        "green and blue detail do not move together as behind one lens",
    ),
    entry(
        "patch repetition",
        "",
        spectrum::patch_repetition,
        High,
        "Texture repetition patterns",
        "two separate patches of the texture match",
    ),
    entry(
        "checker phase",
        "",
        noise::checker_phase,
        High,
        "Regular grid-like artifacts in textures",
        "a checkerboard of two pixels keeps its phase over whole patches",
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
        "edge width",
        "pixels",
        edge::edge_width,
        Low,
        "Jagged edges in curved structures",
        "edges take fewer pixels than a lens and a reduction leave them",
    ),
    entry(
        "colourfulness",
        "levels",
        color::colorfulness,
        High,
        "Systematic color distribution anomalies",
        "colours lie further apart than a camera's",
    ),
    entry(
        "saturation",
        "",
        color::saturation,
        High,
        "Cinematization Effects",
        "colours are as saturated as in a graded film",
    ),
    entry(
        "dark channel",
        "levels",
        color::dark_channel,
        Low,
        "Dramatic lighting that defies natural physics",
        "every small place holds something almost black, as in staged light",
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
        "spectral peak",
        "log10",
        spectrum::spectral_peak,
        High,
        "Repeated element patterns",
        "one frequency stands out of the texture",
    ),
    entry(
        "contrast",
        "levels",
        light::contrast,
        High,
        "Movie-poster like composition of ordinary scenes",
        "light and shadow are as far apart as on a poster",
    ),
    entry(
        "symmetry",
        "",
        light::symmetry,
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
            assert_eq!(measure.name().parse(), Ok(measure));
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
                let map = measure.map(&picture);
                assert!(map.values().iter().all(|x| (0.0..=1.0).contains(x)), "{measure:?}");
            }
        }
    }
}
