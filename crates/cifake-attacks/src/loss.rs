//! What an attack climbs.

use burn::tensor::{Tensor, TensorData, activation};
use cifake::{Differentiable, Label};
use serde::{Deserialize, Serialize};

use crate::samples::values;

/// When an attack has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The picture gets another label than its true one.
    Untargeted,
    /// The picture gets this label, whatever it is.
    Targeted(Label),
}

impl Goal {
    /// The label that a picture of label `truth` is pushed to: with two classes there is one.
    #[must_use]
    pub fn wanted(self, truth: Label) -> Label {
        match self {
            Self::Untargeted => match truth {
                Label::Real => Label::Fake,
                Label::Fake => Label::Real,
            },
            Self::Targeted(label) => label,
        }
    }
}

/// A function of the margin, the wanted class's logit minus the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Cross-entropy of the class that the picture must lose: `softplus(margin)`.
    ///
    /// Its gradient vanishes where a model is very sure of itself.
    CrossEntropy,
    /// The margin itself. With two classes it takes the place of DLR (Croce and Hein 2020,
    /// arXiv 2003.01690), which needs a third.
    Margin,
}

/// Goal and loss of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Objective {
    pub(crate) goal: Goal,
    pub(crate) loss: Loss,
}

/// What a model says of a batch, as seen from the goal.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Above 0 where the attack has succeeded.
    pub(crate) margins: Vec<f32>,
    /// Gradient of the loss, `[batch, 3, height, width]`.
    pub(crate) gradient: Tensor<4>,
}

/// Wanted logit minus the other, `[batch]`.
pub(crate) fn margins(logits: Tensor<2>, goal: Goal, labels: &[Label]) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    assert_eq!([batch, classes], [labels.len(), 2], "a classifier answers with [batch, 2]");
    let sign = |&label: &Label| if goal.wanted(label) == Label::Fake { 1.0f32 } else { -1.0 };
    let signs: Vec<f32> = labels.iter().map(sign).collect();
    let signs = Tensor::<1>::from_data(TensorData::new(signs, [batch]), &logits.device());
    let [real, fake] = [0, 1].map(|class| logits.clone().narrow(1, class, 1).reshape([batch]));
    (fake - real) * signs
}

impl Objective {
    /// Margins and the gradient of the loss, summed over the batch so that samples stay apart.
    pub(crate) fn differentiate(
        self,
        model: &dyn Differentiable,
        images: &Tensor<4>,
        labels: &[Label],
    ) -> Seen {
        let input = Tensor::from_inner(images.clone()).require_grad();
        let margins = margins(model.logits(input.clone()), self.goal, labels);
        let loss = match self.loss {
            Loss::CrossEntropy => activation::softplus(margins.clone(), 1.0),
            Loss::Margin => margins.clone(),
        };
        let gradients = loss.sum().backward();
        // A model that ignores its input has no gradient.
        let gradient = input.grad(&gradients).unwrap_or_else(|| images.zeros_like());
        Seen { margins: finite(values(margins.inner())), gradient }
    }
}

/// Margins of `images` without a gradient.
pub(crate) fn ask(
    model: &dyn cifake::Classifier,
    images: &Tensor<4>,
    goal: Goal,
    labels: &[Label],
) -> Vec<f32> {
    finite(values(margins(model.logits(images.clone()), goal, labels)))
}

/// Which of `images` `model` calls what they are; a tie is called FAKE, which is a threshold of 0.5,
/// and an answer that is no number calls a picture nothing.
#[must_use]
pub fn calls_right(
    model: &dyn cifake::Classifier,
    images: &Tensor<4>,
    labels: &[Label],
) -> Vec<bool> {
    let is_right = |(margin, label): (f32, &Label)| {
        let tie_is_right = *label == Label::Fake;
        margin > f32::NEG_INFINITY && (margin < 0.0 || margin == 0.0 && tie_is_right)
    };
    let margins = ask(model, images, Goal::Untargeted, labels);
    margins.into_iter().zip(labels).map(is_right).collect()
}

/// NaN as the margin that is farthest from any goal, so that no attack takes it for a success.
fn finite(mut margins: Vec<f32>) -> Vec<f32> {
    margins.iter_mut().filter(|m| m.is_nan()).for_each(|m| *m = f32::NEG_INFINITY);
    margins
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_tie_is_fake_and_no_number_is_nothing() {
        struct Says(f32);
        impl cifake::Classifier for Says {
            fn logits(&self, images: Tensor<4>) -> Tensor<2> {
                Tensor::from_floats([[0.0, self.0]; 2], &images.device())
            }
        }
        let images = Tensor::<4>::zeros([2, 3, 1, 1], &Device::flex());
        let right = |z| calls_right(&Says(z), &images, &[Label::Real, Label::Fake]);
        assert_eq!(right(-1.0), [true, false]);
        assert_eq!(right(0.0), [false, true]);
        assert_eq!(right(f32::NAN), [false, false]);
    }

    #[test]
    fn a_margin_is_positive_where_the_goal_is_reached() {
        let logits = Tensor::<2>::from_floats([[1.0, 3.0], [1.0, 3.0]], &Device::flex());
        let labels = [Label::Real, Label::Fake];
        assert_eq!(values(margins(logits.clone(), Goal::Untargeted, &labels)), [2.0, -2.0]);
        let to_fake = Goal::Targeted(Label::Fake);
        assert_eq!(values(margins(logits, to_fake, &labels)), [2.0, 2.0]);
    }
}
