//! The frame of the backward pass of every operation, around its formula.

use burn::backend::Flex;
use burn::backend::autodiff::{grads::Gradients, ops::Ops};
use burn_flex::FlexTensor;

/// Takes the gradient of an operation's output and hands every tracked parent its own.
///
/// `differentiate` gets the saved state, the gradient and which parents are tracked, and returns
/// one gradient a parent; those of untracked ones are dropped.
pub(crate) fn propagate<S, const N: usize, R: IntoIterator<Item = Option<FlexTensor>>>(
    ops: Ops<S, N>,
    grads: &mut Gradients,
    differentiate: impl FnOnce(S, FlexTensor, [bool; N]) -> R,
) {
    let grad = grads.consume::<Flex>(&ops.node);
    let wanted = ops.parents.each_ref().map(Option::is_some);
    let results = differentiate(ops.state, grad, wanted);
    for (parent, result) in ops.parents.into_iter().zip(results) {
        if let (Some(parent), Some(result)) = (parent, result) {
            grads.register::<Flex>(parent.id, result);
        }
    }
}
