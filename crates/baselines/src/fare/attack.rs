//! The attack of a step: gradient ascent on the distance of embeddings within a linf ball.

use burn::tensor::Tensor;

use super::config::FareConfig;

/// An encoder's embedding of pictures `[batch, 3, height, width]`, RGB, in `[0, 1]`, without normalization of its
/// length: `[batch, dim]`.
pub type Embed<M> = fn(&M, Tensor<4>) -> Tensor<2>;

/// `images` with a perturbation that drives their embeddings away from `targets`. `start` is the first one.
///
/// A step goes along the sign of `momentum` times the last direction plus the sign of the gradient. The start may
/// leave `[0, 1]`, as upstream's; every step returns to it.
pub(super) fn attacked<M>(
    model: &M,
    embed: Embed<M>,
    config: &FareConfig,
    [images, start]: [Tensor<4>; 2],
    targets: &Tensor<2>,
) -> Tensor<4> {
    let (reach, step) = (config.epsilon.value(), config.step_size.value());
    let mut perturbation = start;
    let mut direction = images.zeros_like();
    for _ in 0..config.attack_steps {
        let seen = Tensor::from_inner(images.clone() + perturbation.clone()).require_grad();
        let embedding = embed(model, seen.clone());
        let loss = distance(embedding, Tensor::from_inner(targets.clone())).sum();
        let gradient = seen.grad(&loss.backward());
        // An encoder that ignores its input has no gradient.
        let gradient = gradient.unwrap_or_else(|| images.zeros_like());
        direction = (direction * config.momentum + gradient.sign()).sign();
        let moved = (perturbation + direction.clone() * step).clamp(-reach, reach);
        perturbation = (images.clone() + moved).clamp(0.0, 1.0) - images.clone();
    }
    images + perturbation
}

/// Squared distances of rows, `[batch, 1]`.
pub(super) fn distance(a: Tensor<2>, b: Tensor<2>) -> Tensor<2> {
    (a - b).square().sum_dim(1)
}
