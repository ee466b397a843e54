//! Adapters as part of the weights: what costs nothing at run time and can be taken back.

use burn::tensor::Tensor;

use super::visit::try_visit;
use crate::error::AdapterError;
use crate::nn::{Attached, Change, Kept, Linear, LoraTargets};
use crate::source::Matrix;

/// The treatment of a layer whose weights are not kept in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reduced {
    /// Merging is refused: rounding the sum again would lose most of what an adapter adds.
    #[default]
    Refuse,
    /// The layer's weights become f32, at four bytes each.
    ToF32,
}

/// Adds what the active adapters add to `model`'s weights themselves.
///
/// The weights of before are kept, so that [`unmerge`] gives them back bit by bit; merging what is
/// merged changes nothing. Gradients do not reach merged adapters.
///
/// # Errors
/// [`AdapterError::Quantized`], by [`Reduced::Refuse`]; the model is then unchanged.
pub fn merge(model: &mut dyn LoraTargets, reduced: Reduced) -> Result<(), AdapterError> {
    if reduced == Reduced::Refuse {
        try_visit(model, |linear| {
            let touched = linear.adapters.effective().next().is_some();
            match touched && !matches!(linear.weight(), Matrix::F32(_)) {
                true => Err(AdapterError::Quantized { path: linear.path().to_owned() }),
                false => Ok(()),
            }
        })?;
    }
    model.visit_linears(&mut merge_layer);
    Ok(())
}

/// Gives `model` its own weights back, bit by bit; its adapters are as active as before [`merge`].
pub fn unmerge(model: &mut dyn LoraTargets) {
    model.visit_linears(&mut |linear| {
        if let Some(Kept { weight, bias }) = linear.adapters.kept.take() {
            linear.replace(weight, bias);
        }
    });
}

/// Merges the active adapters for good: the weights of before and all adapters are dropped.
///
/// # Errors
/// Those of [`merge`].
pub fn merge_and_unload(model: &mut dyn LoraTargets, reduced: Reduced) -> Result<(), AdapterError> {
    merge(model, reduced)?;
    model.visit_linears(&mut |linear| linear.adapters = Default::default());
    Ok(())
}

fn merge_layer(linear: &mut Linear) {
    let active: Vec<Attached> = linear.adapters.effective().cloned().collect();
    if active.is_empty() {
        return;
    }
    let kept = Kept { weight: linear.weight().clone(), bias: linear.bias().cloned() };
    let mut weight = kept.weight.to_tensor();
    let mut bias = kept.bias.clone();
    // Replacements of the layer come first, since low-rank changes are added to them.
    for attached in &active {
        if let Change::Whole { weight: whole, bias: whole_bias } = &attached.change {
            weight = whole.clone().inner();
            bias = whole_bias.clone().map(Tensor::inner);
        }
    }
    for attached in &active {
        if let Change::LowRank { a, b, scale } = &attached.change {
            weight = weight + b.clone().inner().matmul(a.clone().inner()) * *scale;
        }
    }
    linear.adapters.kept = Some(kept);
    linear.replace(Matrix::F32(weight), bias);
}
