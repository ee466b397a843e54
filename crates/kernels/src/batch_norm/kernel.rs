//! Loops over rows of channels.

use rayon::prelude::*;

use crate::gelu;
use crate::simd::{self, multiversion};

/// Elements of a block: 128 KiB, so that a second pass over it hits the L2 cache.
const BLOCK: usize = 32_768;

/// Whole rows of about [`BLOCK`] elements.
pub(super) fn block_len(channels: usize) -> usize {
    (BLOCK / channels).max(1) * channels
}

/// Mean and biased variance of every channel.
///
/// Each block is centred on its own mean, then the blocks are merged (Chan et al. 1979).
pub(super) fn statistics(x: &[f32], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let blocks: Vec<(usize, [Vec<f32>; 2])> = x
        .par_chunks(block_len(channels))
        .map(|block| {
            let rows = block.len() / channels;
            let mut mean = vec![0.0; channels];
            simd::add_rows(block, &mut mean);
            for m in &mut mean {
                *m /= rows as f32;
            }
            let (mut rest, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
            centred_sums(block, &mean, &mut rest, &mut squares);
            // The correction of the mean's rounding error.
            for ((mean, rest), squares) in mean.iter_mut().zip(&rest).zip(&mut squares) {
                *squares -= rest * rest / rows as f32;
                *mean += rest / rows as f32;
            }
            (rows, [mean, squares])
        })
        .collect();
    let (mut mean, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
    let mut count = 0.0;
    for (rows, [block_mean, block_squares]) in &blocks {
        let rows = *rows as f64;
        let merged: f64 = count + rows;
        for c in 0..channels {
            let delta = f64::from(block_mean[c]) - mean[c];
            mean[c] += delta * rows / merged;
            squares[c] += f64::from(block_squares[c]) + delta * delta * count * rows / merged;
        }
        count = merged;
    }
    for s in &mut squares {
        *s /= count;
    }
    (mean, squares)
}

multiversion! {
    /// Adds `x - mean` to `plain` and its square to `squares`.
    pub(super) fn centred_sums(x: &[f32], mean: &[f32], plain: &mut [f32], squares: &mut [f32]) {
        for row in x.chunks_exact(mean.len()) {
            let sums = plain.iter_mut().zip(squares.iter_mut());
            for (((p, s), x), mean) in sums.zip(row).zip(mean) {
                let centred = x - mean;
                *p += centred;
                *s = I::mul_add(centred, centred, *s);
            }
        }
    }
}

multiversion! {
    pub(super) fn normalize(x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
        let channels = scale.len();
        for (out, row) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for (((y, x), scale), shift) in out.iter_mut().zip(row).zip(scale).zip(shift) {
                *y = I::mul_add(*x, *scale, *shift);
            }
        }
    }
}

multiversion! {
    pub(super) fn normalize_gelu(x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
        let channels = scale.len();
        for (out, row) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for (((y, x), scale), shift) in out.iter_mut().zip(row).zip(scale).zip(shift) {
                *y = gelu::value::<I>(I::mul_add(*x, *scale, *shift));
            }
        }
    }
}

multiversion! {
    /// Turns the gradient after GELU into the one before it.
    pub(super) fn gelu_gradient(x: &[f32], scale: &[f32], shift: &[f32], grad: &mut [f32]) {
        let channels = scale.len();
        for (grad, row) in grad.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for (((g, x), scale), shift) in grad.iter_mut().zip(row).zip(scale).zip(shift) {
                *g *= gelu::derivative::<I>(I::mul_add(*x, *scale, *shift));
            }
        }
    }
}

multiversion! {
    /// Adds `grad` to `plain` and `grad * (x - mean)` to `weighted`.
    pub(super) fn gradient_sums(
        x: &[f32],
        grad: &[f32],
        mean: &[f32],
        plain: &mut [f32],
        weighted: &mut [f32],
    ) {
        let channels = mean.len();
        for (row, grad) in x.chunks_exact(channels).zip(grad.chunks_exact(channels)) {
            let sums = plain.iter_mut().zip(weighted.iter_mut());
            for ((((p, w), g), x), mean) in sums.zip(grad).zip(row).zip(mean) {
                *p += g;
                *w = I::mul_add(*g, x - mean, *w);
            }
        }
    }
}

multiversion! {
    /// `grad = grad * scale + x * slope + offset`.
    pub(super) fn combine(x: &[f32], scale: &[f32], slope: &[f32], offset: &[f32], grad: &mut [f32]) {
        let channels = scale.len();
        for (grad, row) in grad.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let factors = scale.iter().zip(slope).zip(offset);
            for ((g, x), ((scale, slope), offset)) in grad.iter_mut().zip(row).zip(factors) {
                *g = I::mul_add(*g, *scale, I::mul_add(*x, *slope, *offset));
            }
        }
    }
}
