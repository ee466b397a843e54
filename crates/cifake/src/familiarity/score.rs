//! Scores that are said to tell what a network knows from what it does not, to be compared.

use serde::{Deserialize, Serialize};

use super::{Familiarity, Gaussians};
use crate::{Error, Observation, Observed};

/// A score, higher for the stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrangerScore {
    /// The closeness of the probability to one half (Hendrycks and Gimpel 2017, arXiv 1610.02136).
    MaximumProbability,
    /// Minus the log of the summed exponentials of the class scores (Liu et al. 2020, arXiv 2010.03759); of a
    /// head of one logit, REAL has the score 0.
    Energy,
    /// Squared distance of the last features from the nearest class mean (Lee et al. 2018, arXiv
    /// 1807.03888).
    Mahalanobis,
    /// The same less the distance from the mean of all training pictures under a covariance of their own
    /// (Ren et al. 2021, arXiv 2106.09022).
    RelativeMahalanobis,
    /// Squared distance of the [`pixel_statistics`](super::pixel_statistics) alone.
    Pixels,
    /// [`Familiarity::distance`], of features and pixels.
    Distance,
}

impl StrangerScore {
    /// All scores.
    pub const ALL: [Self; 6] = [
        Self::MaximumProbability,
        Self::Energy,
        Self::Mahalanobis,
        Self::RelativeMahalanobis,
        Self::Pixels,
        Self::Distance,
    ];

    /// The name for a table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaximumProbability => "max p",
            Self::Energy => "energy",
            Self::Mahalanobis => "Mahalanobis",
            Self::RelativeMahalanobis => "relative",
            Self::Pixels => "pixels",
            Self::Distance => "distance",
        }
    }
}

/// The fitted parts that all the scores need.
#[derive(Debug, Clone)]
pub struct StrangerScores {
    familiarity: Familiarity,
    /// All training pictures as one group.
    background: Gaussians,
}

impl StrangerScores {
    /// The scores of a detector with this `familiarity`, with the background of `training`.
    ///
    /// # Errors
    ///
    /// As [`Familiarity::fit`].
    pub fn new(familiarity: Familiarity, training: &Observed, ridge: f64) -> Result<Self, Error> {
        let rows: Vec<&[f32]> = training.iter().map(|(_, seen)| &seen.features[..]).collect();
        let background = Gaussians::fit(&rows, &vec![0; rows.len()], ridge)?;
        Ok(Self { familiarity, background })
    }

    /// The measure of the distance of pictures from the training.
    #[must_use]
    pub fn familiarity(&self) -> &Familiarity {
        &self.familiarity
    }

    /// The score of a picture.
    #[must_use]
    pub fn of(&self, score: StrangerScore, seen: &Observation) -> f32 {
        match score {
            StrangerScore::MaximumProbability => -seen.margin().abs(),
            StrangerScore::Energy => {
                let [real, fake] = seen.logits;
                let most = real.max(fake);
                -(most + ((real - most).exp() + (fake - most).exp()).ln())
            }
            StrangerScore::Mahalanobis => self.familiarity.parts(seen)[0],
            StrangerScore::RelativeMahalanobis => {
                self.familiarity.parts(seen)[0] - self.background.squared_distance(&seen.features)
            }
            StrangerScore::Pixels => self.familiarity.parts(seen)[1],
            StrangerScore::Distance => self.familiarity.distance(seen),
        }
    }
}
