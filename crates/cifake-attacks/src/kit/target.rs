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
    progress: Option<&'a dyn Fn(f64)>,
}

impl<'a> TargetModel<'a> {
    /// A model that every attack can use.
    #[must_use]
    pub fn new(model: &'a dyn Differentiable) -> Self {
        Self { gradients: Some(model), answers: model, progress: None }
    }

    /// A model without gradients, for black-box attacks.
    #[must_use]
    pub fn black_box(model: &'a dyn Classifier) -> Self {
        Self { gradients: None, answers: model, progress: None }
    }

    /// Takes answers without gradients from `faster`, which must compute the same function; a
    /// compiled plan of the network is an example.
    #[must_use]
    pub fn with_answers(self, faster: &'a dyn Classifier) -> Self {
        Self { answers: faster, ..self }
    }

    /// Tells `progress` the share of an attack on a batch that is done, in `[0, 1]` and never falling. An
    /// attack that is over at once tells nothing.
    #[must_use]
    pub fn with_progress(self, progress: &'a dyn Fn(f64)) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// The same model for an attack that is a part of another, which tells the progress of both.
    #[must_use]
    pub fn without_progress(self) -> Self {
        Self { progress: None, ..self }
    }

    /// Tells how large a share of the attack on the batch is done; for attacks that take long.
    pub fn tell(&self, share: f64) {
        if let Some(progress) = self.progress {
            progress(share);
        }
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
