//! The goal of an attack, its loss, and the gradient of the loss.

use burn::tensor::{Tensor, TensorData, activation};
use cifake::{Differentiable, Label};
use serde::{Deserialize, Serialize};

use super::tensor::values;

/// The label that an attack aims for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Any label but the true one.
    Untargeted,
    /// This label, for pictures of either label.
    Targeted(Label),
}

impl Goal {
    /// The label that the attack aims for on a picture of label `truth`.
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
#[non_exhaustive]
pub enum Loss {
    /// Cross-entropy of the class that the attack moves away from: `softplus(margin)`.
    ///
    /// Its gradient vanishes where the model is very confident.
    CrossEntropy,
    /// The margin itself. With two classes it takes the place of DLR (Croce and Hein 2020,
    /// arXiv 2003.01690), which needs a third.
    Margin,
}

/// The function that a gradient attack maximizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objective {
    /// The label that the attack aims for.
    pub goal: Goal,
    /// The loss.
    pub loss: Loss,
}

/// Margins of a batch, and the gradient of the loss.
#[derive(Debug, Clone)]
pub struct LossGradient {
    /// For each picture, above 0 where the attack has succeeded.
    pub margins: Vec<f32>,
    /// Gradient of the loss, `[batch, 3, height, width]`.
    pub gradient: Tensor<4>,
}

/// Wanted logit minus the other, `[batch]`.
fn margins(logits: Tensor<2>, goal: Goal, labels: &[Label]) -> Tensor<1> {
    let [batch, classes] = logits.dims();
    assert_eq!([batch, classes], [labels.len(), 2], "a classifier answers with [batch, 2]");
    let sign = |&label: &Label| if goal.wanted(label) == Label::Fake { 1.0f32 } else { -1.0 };
    let signs: Vec<f32> = labels.iter().map(sign).collect();
    let signs = Tensor::<1>::from_data(TensorData::new(signs, [batch]), &logits.device());
    let [real, fake] = [0, 1].map(|class| logits.clone().narrow(1, class, 1).reshape([batch]));
    (fake - real) * signs
}

impl Objective {
    /// Margins of `images`, `[batch, 3, height, width]`, and the gradient of the loss.
    ///
    /// The loss is summed over the batch, so that no sample affects the gradient of another.
    ///
    /// # Panics
    ///
    /// If the model does not answer with `[batch, 2]`, or a label is missing.
    #[must_use]
    pub fn differentiate(
        self,
        model: &dyn Differentiable,
        images: &Tensor<4>,
        labels: &[Label],
    ) -> LossGradient {
        let input = Tensor::from_inner(images.clone()).require_grad();
        let margins = margins(model.logits(input.clone()), self.goal, labels);
        let loss = match self.loss {
            Loss::CrossEntropy => activation::softplus(margins.clone(), 1.0),
            Loss::Margin => margins.clone(),
        };
        let gradients = loss.sum().backward();
        // A model that ignores its input has no gradient.
        let gradient = input.grad(&gradients).unwrap_or_else(|| images.zeros_like());
        LossGradient { margins: finite(values(margins.inner())), gradient }
    }
}

/// Margins of `images`: the logit of the wanted class minus that of the other.
///
/// A margin above 0 is a success. An answer of NaN counts as negative infinity.
///
/// # Panics
///
/// If the model does not answer with `[batch, 2]`, or a label is missing.
#[must_use]
pub fn margins_of(
    model: &dyn cifake::Classifier,
    images: &Tensor<4>,
    goal: Goal,
    labels: &[Label],
) -> Vec<f32> {
    finite(values(margins(model.logits(images.clone()), goal, labels)))
}

/// For each of `images`, whether `model` gives the true label.
///
/// Two equal logits mean FAKE, which is a threshold of 0.5. An answer of NaN is never correct.
///
/// # Panics
///
/// If the model does not answer with `[batch, 2]`, or a label is missing.
#[must_use]
pub fn is_correct(
    model: &dyn cifake::Classifier,
    images: &Tensor<4>,
    labels: &[Label],
) -> Vec<bool> {
    let is_correct = |(margin, label): (f32, &Label)| {
        let tie_is_correct = *label == Label::Fake;
        margin > f32::NEG_INFINITY && (margin < 0.0 || margin == 0.0 && tie_is_correct)
    };
    let margins = margins_of(model, images, Goal::Untargeted, labels);
    margins.into_iter().zip(labels).map(is_correct).collect()
}

/// Replaces NaN by negative infinity, so that no attack takes it for a success.
fn finite(mut margins: Vec<f32>) -> Vec<f32> {
    margins.iter_mut().filter(|m| m.is_nan()).for_each(|m| *m = f32::NEG_INFINITY);
    margins
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn a_tie_is_fake_and_nan_is_never_correct() {
        struct Constant(f32);
        impl cifake::Classifier for Constant {
            fn logits(&self, images: Tensor<4>) -> Tensor<2> {
                Tensor::from_floats([[0.0, self.0]; 2], &images.device())
            }
        }
        let images = Tensor::<4>::zeros([2, 3, 1, 1], &Device::flex());
        let correct = |z| is_correct(&Constant(z), &images, &[Label::Real, Label::Fake]);
        assert_eq!(correct(-1.0), [true, false]);
        assert_eq!(correct(0.0), [false, true]);
        assert_eq!(correct(f32::NAN), [false, false]);
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
