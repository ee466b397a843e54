//! The number of a network that a map explains.

use burn::tensor::Tensor;
use cifake::Label;

use crate::Error;

/// The number whose sources a map shows: large map values are places that raise it.
///
/// The idea that a target is a value of its own is that of pytorch-grad-cam's `model_targets.py`.
/// A [`Label`] converts into its [`Margin`](Self::Margin), which is how verdicts are explained.
///
/// ```
/// use cifake::Label;
/// use gradcam::Target;
///
/// assert_eq!(Target::from(Label::Fake), Target::Margin(Label::Fake));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// The score of a class, before softmax.
    Score(Label),
    /// The score of a class minus the score of the other class: the log-odds of the class.
    Margin(Label),
    /// The mean of one channel of the layer at which the map is made, counted from 0. Such a map
    /// shows where the network finds this feature, whatever the verdict.
    Channel(usize),
}

impl From<Label> for Target {
    fn from(label: Label) -> Self {
        Self::Margin(label)
    }
}

impl Target {
    /// Whether the channel, if the target is one, is among `n_channels`.
    pub(crate) fn check(self, n_channels: usize) -> Result<(), Error> {
        match self {
            Self::Channel(channel) if channel >= n_channels => {
                Err(Error::Channel { channel, n_channels })
            }
            _ => Ok(()),
        }
    }

    /// The sum of the `targets` of a batch: each sample's target depends on that sample alone.
    ///
    /// `logits` are `[batch, 2]`; `features` are `[batch, channels, height, width]`.
    pub(crate) fn sum(targets: &[Self], logits: &Tensor<2>, features: &Tensor<4>) -> Tensor<1> {
        let weights: Vec<f32> = targets.iter().flat_map(|target| target.weights()).collect();
        let weights = Tensor::<1>::from_floats(weights.as_slice(), &logits.device());
        let weights = weights.reshape([targets.len(), 2]);
        let mut sum = (logits.clone() * weights).sum();
        for (sample, target) in targets.iter().enumerate() {
            if let Self::Channel(channel) = *target {
                let plane = features.clone().narrow(0, sample, 1).narrow(1, channel, 1);
                sum = sum + plane.mean();
            }
        }
        sum
    }

    /// Weights of the scores of REAL and FAKE.
    fn weights(self) -> [f32; 2] {
        match self {
            Self::Score(Label::Real) => [1.0, 0.0],
            Self::Score(Label::Fake) => [0.0, 1.0],
            Self::Margin(Label::Real) => [1.0, -1.0],
            Self::Margin(Label::Fake) => [-1.0, 1.0],
            Self::Channel(_) => [0.0, 0.0],
        }
    }
}
