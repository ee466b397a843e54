//! Group normalization of channels-last maps.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, activation};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::backward::propagate;
use crate::buffer;

mod map;

use self::map::{Map, Settings, center, collect, normalize, undo_activation};

/// `(x - mean) / sqrt(variance + epsilon) * scale + shift` with the statistics of each picture and group of
/// channels (Wu and He 2018, arXiv 1803.08494).
///
/// `x` is `[batch, height, width, channels]`; `scale` and `shift` are `[batch, channels]`, so that each
/// picture may have its own.
///
/// # Panics
///
/// If `n_groups` does not divide the channels, or the shapes do not fit.
#[must_use]
pub fn group_norm(
    x: Tensor<4>,
    scale: Tensor<2>,
    shift: Tensor<2>,
    n_groups: usize,
    epsilon: f64,
) -> Tensor<4> {
    normalized(x, [scale, shift], Settings { n_groups, epsilon, activates: false })
}

/// [`group_norm`], then SiLU: `y / (1 + exp(-y))`.
///
/// # Panics
///
/// As [`group_norm`].
#[must_use]
pub fn group_norm_silu(
    x: Tensor<4>,
    scale: Tensor<2>,
    shift: Tensor<2>,
    n_groups: usize,
    epsilon: f64,
) -> Tensor<4> {
    normalized(x, [scale, shift], Settings { n_groups, epsilon, activates: true })
}

fn normalized(x: Tensor<4>, affine: [Tensor<2>; 2], settings: Settings) -> Tensor<4> {
    let [batch, _, _, channels] = x.dims();
    assert!(channels.is_multiple_of(settings.n_groups), "the groups divide the channels");
    for part in &affine {
        assert_eq!(part.dims(), [batch, channels], "a scale and a shift a picture and channel");
    }
    if !buffer::is_fast(&x) {
        return composed(x, affine, settings);
    }
    let [scale, shift] = affine.map(Tensor::into_dispatch);
    let Settings { n_groups, epsilon, activates } = settings;
    let x = x.into_dispatch();
    Tensor::from_dispatch(<Dispatch as GroupNormOps>::normalize_groups(
        x, scale, shift, n_groups, epsilon, activates,
    ))
}

fn composed(x: Tensor<4>, affine: [Tensor<2>; 2], settings: Settings) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let Settings { n_groups, epsilon, activates } = settings;
    let groups: Tensor<4> = x.reshape([batch, height * width, n_groups, channels / n_groups]);
    let centered = groups.clone() - groups.mean_dim(1).mean_dim(3);
    let variance = centered.clone().square().mean_dim(1).mean_dim(3);
    let normal = (centered / (variance + epsilon).sqrt()).reshape([batch, height, width, channels]);
    let [scale, shift] = affine.map(|part| part.reshape([batch, 1, 1, channels]));
    let out = normal * scale + shift;
    if activates { activation::silu(out) } else { out }
}

#[backend_extension(Flex, Autodiff)]
trait GroupNormOps: Backend {
    fn normalize_groups(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        n_groups: usize,
        epsilon: f64,
        activates: bool,
    ) -> FloatTensor<Self>;
}

impl GroupNormOps for Flex {
    fn normalize_groups(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        n_groups: usize,
        epsilon: f64,
        activates: bool,
    ) -> FloatTensor<Self> {
        forward(x, [&scale, &shift], Settings { n_groups, epsilon, activates })
    }
}

impl<C: CheckpointStrategy> GroupNormOps for Autodiff<Flex, C> {
    fn normalize_groups(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        n_groups: usize,
        epsilon: f64,
        activates: bool,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (scale, scale_node) = scale.into_parts();
        let (shift, shift_node) = shift.into_parts();
        let settings = Settings { n_groups, epsilon, activates };
        let output = forward(x.clone(), [&scale, &shift], settings);
        let nodes = [x_node, scale_node, shift_node];
        match GroupNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(Saved { x, scale, shift, settings }, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    scale: FlexTensor,
    shift: FlexTensor,
    settings: Settings,
}

#[derive(Debug)]
struct GroupNormBackward;

impl Backward<Flex, 3> for GroupNormBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |Saved { x, scale, shift, settings }, grad, _| {
            backward(x, [&scale, &shift], grad, settings).map(Some)
        });
    }
}

fn forward(x: FlexTensor, affine: [&FlexTensor; 2], settings: Settings) -> FlexTensor {
    let x = buffer::contiguous(x);
    let affine = affine.map(FlexTensor::to_contiguous);
    let [scale, shift] = [0, 1].map(|idx: usize| buffer::values(&affine[idx]));
    let channels = x.shape()[3];
    let from = buffer::values(&x);
    let picture = picture_len(&x);
    let mut out = buffer::scratch(from.len());
    (out.par_chunks_mut(picture).zip(from.par_chunks(picture)))
        .zip(scale.par_chunks(channels).zip(shift.par_chunks(channels)))
        .for_each(|((out, x), (scale, shift))| {
            let map = Map::new(x, scale, shift, settings);
            normalize(x, &map, settings.activates, out);
        });
    buffer::tensor(out, x.shape())
}

/// Gradients of the input, the scale and the shift.
fn backward(
    x: FlexTensor,
    affine: [&FlexTensor; 2],
    grad: FlexTensor,
    settings: Settings,
) -> [FlexTensor; 3] {
    let (x, grad) = (buffer::contiguous(x), buffer::contiguous(grad));
    let affine = affine.map(FlexTensor::to_contiguous);
    let [scale, shift] = [0, 1].map(|idx: usize| buffer::values(&affine[idx]));
    let (channels, picture, from) = (x.shape()[3], picture_len(&x), buffer::values(&x));
    let mut out = buffer::scratch(from.len());
    let [mut scale_grad, mut shift_grad] = [scale, shift].map(|part| vec![0.0; part.len()]);
    (out.par_chunks_mut(picture).zip(from.par_chunks(picture)))
        .zip(buffer::values(&grad).par_chunks(picture))
        .zip(scale.par_chunks(channels).zip(shift.par_chunks(channels)))
        .zip(scale_grad.par_chunks_mut(channels).zip(shift_grad.par_chunks_mut(channels)))
        .for_each(|((((out, x), grad), (scale, shift)), (scale_grad, shift_grad))| {
            let map = Map::new(x, scale, shift, settings);
            out.copy_from_slice(grad);
            if settings.activates {
                undo_activation(x, &map, out);
            }
            collect(x, &map, out, scale_grad, shift_grad);
            let [offset, slope] = map.corrections(scale, [scale_grad, shift_grad], x.len());
            center(x, &map, &offset, &slope, out);
        });
    let shape = affine[0].shape();
    [
        buffer::tensor(out, x.shape()),
        buffer::tensor(scale_grad, shape.clone()),
        buffer::tensor(shift_grad, shape),
    ]
}

/// Elements of one picture.
fn picture_len(x: &FlexTensor) -> usize {
    let shape = x.shape();
    (shape[1] * shape[2] * shape[3]).max(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::{Settings, composed, group_norm, group_norm_silu};
    use crate::check::{assert_close, assert_same_gradients, random};

    /// Sums over 35 * 6 values in another order.
    const LIMIT: f32 = 3e-5;

    type Norm = fn(Tensor<4>, Tensor<2>, Tensor<2>, usize, f64) -> Tensor<4>;

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        for (shape, n_groups) in [([2, 5, 7, 12], 2), ([3, 2, 1, 6], 6), ([1, 4, 4, 40], 4)] {
            let [batch, .., channels] = shape;
            let inputs = || {
                [
                    random([shape.iter().product()], 2.0, 1, &device) + 0.5,
                    random([batch * channels], 1.0, 2, &device) + 1.0,
                    random([batch * channels], 1.0, 3, &device),
                ]
            };
            for (norm, activates) in [(group_norm as Norm, false), (group_norm_silu, true)] {
                let settings = Settings { n_groups, epsilon: 1e-5, activates };
                let affine = |part: Tensor<1>| part.reshape([batch, channels]);
                assert_same_gradients(
                    inputs(),
                    LIMIT,
                    |[x, a, b]| norm(x.reshape(shape), affine(a), affine(b), n_groups, 1e-5),
                    |[x, a, b]| composed(x.reshape(shape), [a, b].map(affine), settings),
                );
            }
        }
    }

    #[test]
    fn a_channel_that_varies_less_than_it_is_large_keeps_its_digits() {
        let device = Device::flex();
        let x = random::<4>([1, 3, 5, 4], 1.0, 1, &device);
        let (scale, shift) = (Tensor::ones([1, 4], &device), Tensor::zeros([1, 4], &device));
        let norm = |x| group_norm(x, scale.clone(), shift.clone(), 2, 1e-5);
        assert_close("a shifted map", &norm(x.clone() + 256.0), &norm(x), 1e-3);
    }
}
