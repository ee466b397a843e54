//! The model under attack.

use cifake::{Classifier, Differentiable};

use crate::Error;

/// The model under attack: its gradients, its answers, or both.
///
/// White-box attacks follow gradients, black-box attacks need answers alone.
#[derive(Clone, Copy)]
pub struct TargetModel<'a> {
    gradients: Option<&'a dyn Differentiable>,
    answers: &'a dyn Classifier,
}

impl<'a> TargetModel<'a> {
    /// A model that every attack can use.
    #[must_use]
    pub fn new(model: &'a dyn Differentiable) -> Self {
        Self { gradients: Some(model), answers: model }
    }

    /// A model without gradients, for black-box attacks.
    #[must_use]
    pub fn black_box(model: &'a dyn Classifier) -> Self {
        Self { gradients: None, answers: model }
    }

    /// Takes answers without gradients from `faster`, which must compute the same function; a
    /// compiled plan of the network is an example.
    #[must_use]
    pub fn with_answers(self, faster: &'a dyn Classifier) -> Self {
        Self { answers: faster, ..self }
    }

    /// The model for answers without gradients.
    #[must_use]
    pub fn answers(&self) -> &'a dyn Classifier {
        self.answers
    }

    /// The model for gradients; `attack` is the attack's name, for the error.
    ///
    /// # Errors
    ///
    /// [`Error::NeedsGradients`] if the model has none.
    pub fn gradients(&self, attack: &str) -> Result<&'a dyn Differentiable, Error> {
        self.gradients.ok_or_else(|| Error::NeedsGradients { attack: attack.to_owned() })
    }
}
