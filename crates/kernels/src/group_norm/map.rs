//! The operation on the map of one picture.

use crate::simd::{InstructionSet, add_rows, exp, multiversion};

/// The settings of an operation beside its tensors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) n_groups: usize,
    pub(super) epsilon: f64,
    /// Whether SiLU follows.
    pub(super) activates: bool,
}

/// The affine map that one picture's channels get, a value a channel.
pub(super) struct Map<'a> {
    mean: Vec<f32>,
    /// `1 / sqrt(variance + epsilon)`.
    inverse: Vec<f32>,
    /// `inverse * scale`.
    factor: Vec<f32>,
    shift: &'a [f32],
    n_groups: usize,
}

impl<'a> Map<'a> {
    pub(super) fn new(x: &[f32], scale: &[f32], shift: &'a [f32], settings: Settings) -> Self {
        let (channels, n_groups) = (scale.len(), settings.n_groups);
        let n_values = (x.len() / n_groups) as f32;
        let mut mean = vec![0.0; channels];
        add_rows(x, &mut mean);
        spread(&mut mean, n_groups, |sum| sum / n_values);
        let mut inverse = vec![0.0; channels];
        add_squares(x, &mean, &mut inverse);
        let epsilon = settings.epsilon as f32;
        spread(&mut inverse, n_groups, |sum| (sum / n_values + epsilon).sqrt().recip());
        let factor = inverse.iter().zip(scale).map(|(inverse, scale)| inverse * scale).collect();
        Self { mean, inverse, factor, shift, n_groups }
    }

    /// The difference between the input's gradient and the output's times `factor`: a constant, and a multiple of the
    /// centered input, both a channel.
    pub(super) fn corrections(
        &self,
        scale: &[f32],
        [scale_grad, shift_grad]: [&[f32]; 2],
        len: usize,
    ) -> [Vec<f32>; 2] {
        let n_values = (len / self.n_groups) as f32;
        let mean_of = |grad: &[f32]| {
            let mut products: Vec<f32> = grad.iter().zip(scale).map(|(g, s)| g * s).collect();
            spread(&mut products, self.n_groups, |sum| sum / n_values);
            products
        };
        let (mut offset, mut slope) = (mean_of(shift_grad), mean_of(scale_grad));
        for ((offset, slope), inverse) in offset.iter_mut().zip(&mut slope).zip(&self.inverse) {
            *offset *= inverse;
            *slope *= inverse * inverse;
        }
        [offset, slope]
    }
}

/// Replaces the values of each group by `f` of their sum.
fn spread(values: &mut [f32], n_groups: usize, f: impl Fn(f32) -> f32) {
    let width = values.len() / n_groups;
    for group in values.chunks_exact_mut(width) {
        let value = f(group.iter().sum());
        group.fill(value);
    }
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
fn sigmoid<I: InstructionSet>(x: f32) -> f32 {
    (1.0 + exp::<I>(-x)).recip()
}

multiversion! {
    /// `total += (x - mean)²`, a channel.
    fn add_squares(x: &[f32], mean: &[f32], total: &mut [f32]) {
        for row in x.chunks_exact(mean.len()) {
            for ((total, x), mean) in total.iter_mut().zip(row).zip(mean) {
                *total = I::mul_add(x - mean, x - mean, *total);
            }
        }
    }
}

multiversion! {
    /// The affine map and, if it `activates`, SiLU.
    pub(super) fn normalize(x: &[f32], map: &Map<'_>, activates: bool, out: &mut [f32]) {
        let channels = map.mean.len();
        for (out, row) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let parts = map.mean.iter().zip(&map.factor).zip(map.shift);
            for ((y, x), ((mean, factor), shift)) in out.iter_mut().zip(row).zip(parts) {
                *y = I::mul_add(x - mean, *factor, *shift);
            }
            if activates {
                for y in out {
                    *y *= sigmoid::<I>(*y);
                }
            }
        }
    }
}

multiversion! {
    /// From the gradient behind SiLU to the one before it.
    pub(super) fn undo_activation(x: &[f32], map: &Map<'_>, grad: &mut [f32]) {
        let channels = map.mean.len();
        for (grad, row) in grad.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let parts = map.mean.iter().zip(&map.factor).zip(map.shift);
            for ((g, x), ((mean, factor), shift)) in grad.iter_mut().zip(row).zip(parts) {
                let y = I::mul_add(x - mean, *factor, *shift);
                let s = sigmoid::<I>(y);
                *g *= s * I::mul_add(y, 1.0 - s, 1.0);
            }
        }
    }
}

multiversion! {
    /// Adds to the gradients of the scale and the shift.
    pub(super) fn collect(
        x: &[f32],
        map: &Map<'_>,
        grad: &[f32],
        scale_grad: &mut [f32],
        shift_grad: &mut [f32],
    ) {
        let channels = map.mean.len();
        for (grad, row) in grad.chunks_exact(channels).zip(x.chunks_exact(channels)) {
            for (sum, g) in shift_grad.iter_mut().zip(grad) {
                *sum += g;
            }
            let parts = map.mean.iter().zip(&map.inverse);
            for (((sum, g), x), (mean, inverse)) in scale_grad.iter_mut().zip(grad).zip(row).zip(parts) {
                *sum = I::mul_add(*g, (x - mean) * inverse, *sum);
            }
        }
    }
}

multiversion! {
    /// From the gradient of the map's output to that of its input.
    pub(super) fn center(x: &[f32], map: &Map<'_>, offset: &[f32], slope: &[f32], grad: &mut [f32]) {
        let channels = map.mean.len();
        for (grad, row) in grad.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let parts = map.mean.iter().zip(&map.factor).zip(offset).zip(slope);
            for ((g, x), (((mean, factor), offset), slope)) in grad.iter_mut().zip(row).zip(parts) {
                *g = I::mul_add(*g, *factor, -I::mul_add(x - mean, *slope, *offset));
            }
        }
    }
}
