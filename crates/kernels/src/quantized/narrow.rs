//! Loops over narrow elements: widening them, and products with one row.

use super::GROUP;
use super::words::{self, DotBytes, DotF32, DotHalves, from_bf16, from_f16};
use crate::simd::{multiversion, vectorize};

/// Sums that are carried side by side.
const LANES: usize = 16;
/// Half of a group: what its lower or upper halves of bytes hold.
const HALF: usize = GROUP / 2;

multiversion! {
    pub(super) fn widen_f16(bits: &[u16], out: &mut [f32]) {
        for (v, bits) in out.iter_mut().zip(bits) {
            *v = from_f16(*bits);
        }
    }
}

multiversion! {
    pub(super) fn widen_bf16(bits: &[u16], out: &mut [f32]) {
        for (v, bits) in out.iter_mut().zip(bits) {
            *v = from_bf16(*bits);
        }
    }
}

multiversion! {
    pub(super) fn widen_int8(codes: &[i8], scales: &[f32], group: usize, out: &mut [f32]) {
        for ((out, codes), scale) in out.chunks_mut(group).zip(codes.chunks(group)).zip(scales) {
            for (v, code) in out.iter_mut().zip(codes) {
                *v = f32::from(*code) * scale;
            }
        }
    }
}

multiversion! {
    pub(super) fn widen_int4(codes: &[u8], scales: &[u16], minima: &[u16], out: &mut [f32]) {
        let groups = out.chunks_exact_mut(GROUP).zip(codes.chunks_exact(HALF));
        for ((out, codes), (scale, minimum)) in groups.zip(scales.iter().zip(minima)) {
            let (scale, minimum) = (from_f16(*scale), from_f16(*minimum));
            let (first, second) = out.split_at_mut(HALF);
            for (v, code) in first.iter_mut().zip(codes) {
                *v = I::mul_add(f32::from(code & 15), scale, minimum);
            }
            for (v, code) in second.iter_mut().zip(codes) {
                *v = I::mul_add(f32::from(code >> 4), scale, minimum);
            }
        }
    }
}

/// The sum of all lanes, halving their number.
#[inline(always)]
fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut n = LANES / 2;
    while n > 0 {
        for i in 0..n {
            lanes[i] += lanes[i + n];
        }
        n /= 2;
    }
    lanes[0]
}

/// One product a row of `weights`.
pub(crate) fn dot_f32(weights: &[f32], x: &[f32], out: &mut [f32]) {
    vectorize(DotF32 { weights, x, out });
}

/// A row as products with `data` read it.
pub(super) enum Prepared {
    /// Planes for words of as many elements.
    Planes(Vec<f32>),
    /// The row itself, where it is no whole number of words, or words begin with their last byte.
    Row,
}

impl Prepared {
    /// For elements of which `n` are a word, `factor` times the row.
    pub(super) fn new(x: &[f32], n: usize, factor: f32) -> Self {
        if cfg!(target_endian = "little") && x.len().is_multiple_of(n) {
            Self::Planes(words::planes(x, n, factor))
        } else {
            Self::Row
        }
    }
}

/// One product a row of `bits`, half precision or bf16.
pub(super) fn dot_halves(bits: &[u16], brain: bool, x: &[f32], of: &Prepared, out: &mut [f32]) {
    match of {
        Prepared::Planes(planes) => vectorize(DotHalves { bits, planes, brain, out }),
        Prepared::Row => {
            let widen = if brain { from_bf16 } else { from_f16 };
            for (out, bits) in out.iter_mut().zip(bits.chunks_exact(x.len())) {
                *out = bits.iter().zip(x).map(|(bits, x)| widen(*bits) * x).sum();
            }
        }
    }
}

/// One product a row of `codes`, with one of `scales` per `group` elements.
pub(super) fn dot_int8(
    codes: &[i8],
    scales: &[f32],
    group: usize,
    x: &[f32],
    of: &Prepared,
    out: &mut [f32],
) {
    match of {
        Prepared::Planes(planes) if group.is_multiple_of(4) => {
            let spread = &mut vec![0.0; x.len() / 4];
            vectorize(DotBytes { codes, scales, group, planes, spread, out });
        }
        _ => {
            let rows = codes.chunks_exact(x.len()).zip(scales.chunks_exact(x.len() / group));
            for (out, (codes, scales)) in out.iter_mut().zip(rows) {
                let products = codes.iter().zip(x).enumerate();
                let scaled =
                    products.map(|(i, (code, x))| scales[i / group] * f32::from(*code) * x);
                *out = scaled.sum();
            }
        }
    }
}

multiversion! {
    /// The sums of groups of `x`: what minima are multiplied with.
    pub(super) fn group_sums(x: &[f32], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x.chunks_exact(GROUP)) {
            let mut lanes = [0f32; LANES];
            for i in 0..LANES {
                lanes[i] = x[i] + x[i + HALF];
            }
            *out = total(lanes);
        }
    }
}

multiversion! {
    /// One product a row; `sums` are the [`group_sums`] of `x`.
    pub(super) fn dot_int4(
        codes: &[u8],
        scales: &[u16],
        minima: &[u16],
        x: &[f32],
        sums: &[f32],
        out: &mut [f32],
    ) {
        let n_groups = sums.len();
        let rows = codes.chunks_exact(n_groups * HALF);
        let rows = rows.zip(scales.chunks_exact(n_groups)).zip(minima.chunks_exact(n_groups));
        for (out, ((codes, scales), minima)) in out.iter_mut().zip(rows) {
            let mut lanes = [0f32; LANES];
            let mut offsets = [0f32; LANES];
            for first in (0..n_groups).step_by(LANES) {
                let n = LANES.min(n_groups - first);
                let mut wide = [0f32; LANES];
                if n == LANES {
                    for i in 0..LANES {
                        wide[i] = from_f16(scales[first + i]);
                        let minimum = from_f16(minima[first + i]);
                        offsets[i] = I::mul_add(minimum, sums[first + i], offsets[i]);
                    }
                } else {
                    for i in 0..n {
                        wide[i] = from_f16(scales[first + i]);
                        let minimum = from_f16(minima[first + i]);
                        offsets[i] = I::mul_add(minimum, sums[first + i], offsets[i]);
                    }
                }
                let codes = codes[first * HALF..].chunks_exact(HALF);
                let x = x[first * GROUP..].chunks_exact(GROUP);
                for ((codes, x), scale) in codes.zip(x).zip(&wide[..n]) {
                    for i in 0..LANES {
                        let part = f32::from(codes[i] & 15) * x[i];
                        let part = I::mul_add(f32::from(codes[i] >> 4), x[i + HALF], part);
                        lanes[i] = I::mul_add(part, *scale, lanes[i]);
                    }
                }
            }
            for i in 0..LANES {
                lanes[i] += offsets[i];
            }
            *out = total(lanes);
        }
    }
}
