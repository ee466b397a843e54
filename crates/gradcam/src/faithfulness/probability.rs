//! Probabilities of a class.

use burn::tensor::{Tensor, activation};
use cifake::{Classifier, Label};

/// The probability of `target` for each of `images`, by softmax over both scores.
pub(super) fn probabilities(model: &dyn Classifier, images: Tensor<4>, target: Label) -> Vec<f32> {
    let logits = model.logits(images);
    let [batch, _] = logits.dims();
    let of_target = activation::softmax(logits, 1).narrow(1, target.index(), 1).reshape([batch]);
    of_target.into_data().convert::<f32>().try_to_vec().expect("it was converted to f32")
}
