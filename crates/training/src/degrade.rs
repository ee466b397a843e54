//! Random degradations of training pictures.

use cifake::{Filter, Picture};
use cifake_attacks::DegradationKind;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::range::Range;

/// A degradation that some training pictures undergo, with a strength drawn for each.
///
/// In TOML, `{ kind = "enlarge", chance = 0.3, strength = [1.3, 7.0] }`. The entries of a list are
/// applied one after the other, each by its own chance. The filter of `enlarge` is drawn from
/// nearest, box, bilinear, bicubic and Lanczos alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// The degradation.
    pub kind: DegradationKind,
    /// Share of the pictures that undergo it, 0 to 1.
    pub chance: f64,
    /// Lowest and highest strength, of which one is drawn uniformly: the factor of `enlarge`,
    /// `brightness`, `contrast` and `screenshot`, the quality of `jpeg` and `webp`, the standard
    /// deviation of `blur` in pixels and of `noise` in levels of a byte, the side of `crop`, the number
    /// of `quarter_turns`. Absent for `grey` and `mirror`; where absent, turns are any, and a screenshot
    /// is shown at 4.3 times its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<[f32; 2]>,
}

impl Draw {
    /// Lowest and highest strength, if the kind has one.
    fn range(&self) -> Option<[f32; 2]> {
        self.strength.or(self.kind.usual_strengths())
    }

    /// Checks the ranges of all fields; the error is a sentence.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let kind = self.kind.as_str();
        let name = format!("augment: the chance of degrade `{kind}`");
        Range::Closed(0.0, 1.0).check(&name, self.chance)?;
        let (known, range) = match (self.kind.strengths(), self.range()) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                return Err(format!("augment: degrade `{kind}` takes no strength"));
            }
            (Some(_), None) => {
                return Err(format!("augment: degrade `{kind}` needs a strength, [low, high]"));
            }
            (Some(known), Some(range)) => (known, range),
        };
        let [low, high] = range;
        let inside = range.iter().all(|bound| known.contains(bound));
        let whole = !self.kind.is_whole() || range.iter().all(|bound| bound.fract() == 0.0);
        if !inside || !whole || low > high {
            let numbers = if self.kind.is_whole() { "whole numbers" } else { "numbers" };
            return Err(format!(
                "augment: the strength of degrade `{kind}` must be [low, high], {numbers} from {} \
                 to {}",
                known.start(),
                known.end()
            ));
        }
        Ok(())
    }

    /// `picture`, degraded or not.
    pub(crate) fn apply(&self, picture: Picture, rng: &mut ChaCha8Rng) -> Picture {
        if !rng.random_bool(self.chance) {
            return picture;
        }
        let strength = self.range().map_or(0.0, |[low, high]| match self.kind.is_whole() {
            true => rng.random_range(low as u32..=high as u32) as f32,
            false => rng.random_range(low..=high),
        });
        let filter = match self.kind {
            DegradationKind::Enlarge => Filter::ALL[rng.random_range(0..Filter::ALL.len())],
            _ => Filter::Bilinear,
        };
        self.kind.with(strength, filter).apply(picture, rng.next_u64(), 0)
    }
}
