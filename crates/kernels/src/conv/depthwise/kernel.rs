//! Loops over the pixels of one image.

use super::super::geometry::Geometry;
use crate::simd::{InstructionSet, multiversion};

/// Taps of the largest filter, 5x5.
const MAX_TAPS: usize = 25;

/// Pixels that one result sums over: offset of the source pixel, offset of the tap's weights.
struct Sources {
    pairs: [(usize, usize); MAX_TAPS],
    len: usize,
}

impl Sources {
    const fn new() -> Self {
        Self { pairs: [(0, 0); MAX_TAPS], len: 0 }
    }

    #[inline(always)]
    fn push(&mut self, source: usize, tap: usize) {
        self.pairs[self.len] = (source, tap);
        self.len += 1;
    }

    /// `out = bias + Σ source * tap`, over all channels.
    #[inline(always)]
    fn gather<I: InstructionSet>(
        &self,
        source: &[f32],
        taps: &[f32],
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let channels = out.len();
        let mut c = 0;
        while c + 32 <= channels {
            self.gather_block::<I, 32>(source, taps, bias, c, out);
            c += 32;
        }
        while c + 8 <= channels {
            self.gather_block::<I, 8>(source, taps, bias, c, out);
            c += 8;
        }
        while c < channels {
            self.gather_block::<I, 1>(source, taps, bias, c, out);
            c += 1;
        }
    }

    #[inline(always)]
    fn gather_block<I: InstructionSet, const N: usize>(
        &self,
        source: &[f32],
        taps: &[f32],
        bias: Option<&[f32]>,
        c: usize,
        out: &mut [f32],
    ) {
        let mut sums = match bias {
            Some(bias) => block(bias, c),
            None => [0f32; N],
        };
        for &(from, tap) in &self.pairs[..self.len] {
            let from: &[f32; N] = source[from + c..][..N].try_into().expect("N elements");
            let tap: &[f32; N] = taps[tap + c..][..N].try_into().expect("N elements");
            for i in 0..N {
                sums[i] = I::mul_add(from[i], tap[i], sums[i]);
            }
        }
        out[c..c + N].copy_from_slice(&sums);
    }
}

multiversion! {
    /// One row of the output.
    pub(super) fn forward_row(
        image: &[f32],
        taps: &[f32],
        bias: Option<&[f32]>,
        oy: usize,
        geometry: Geometry,
        out: &mut [f32],
    ) {
        let Geometry { height, width, stride, n_out: channels, side, .. } = geometry;
        let padding = side / 2;
        let mut sources = Sources::new();
        for (ox, out) in out.chunks_exact_mut(channels).enumerate() {
            sources.len = 0;
            for ky in 0..side {
                let iy = (oy * stride + ky).wrapping_sub(padding);
                for kx in 0..side {
                    let ix = (ox * stride + kx).wrapping_sub(padding);
                    if iy < height && ix < width {
                        sources.push((iy * width + ix) * channels, (ky * side + kx) * channels);
                    }
                }
            }
            sources.gather::<I>(image, taps, bias, out);
        }
    }
}

multiversion! {
    /// The input gradient of one image.
    pub(super) fn input_gradient(grad: &[f32], taps: &[f32], geometry: Geometry, out: &mut [f32]) {
        let Geometry { width, stride, n_out: channels, side, .. } = geometry;
        let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
        let padding = side / 2;
        let mut sources = Sources::new();
        for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
            let (iy, ix) = (pixel / width, pixel % width);
            sources.len = 0;
            for ky in 0..side {
                let y = (iy + padding).wrapping_sub(ky);
                for kx in 0..side {
                    let x = (ix + padding).wrapping_sub(kx);
                    let (oy, ox) = (y / stride, x / stride);
                    let hit = y % stride == 0 && x % stride == 0;
                    if hit && oy < out_height && ox < out_width {
                        sources.push((oy * out_width + ox) * channels, (ky * side + kx) * channels);
                    }
                }
            }
            sources.gather::<I>(grad, taps, None, out);
        }
    }
}

multiversion! {
    /// Adds the weight gradient `[taps, channels]` of one image to `sums`.
    pub(super) fn weight_gradient(image: &[f32], grad: &[f32], geometry: Geometry, sums: &mut [f32]) {
        if geometry.side == 3 {
            add_weight_gradient::<I, 3>(image, grad, geometry, sums);
        } else {
            add_weight_gradient::<I, 5>(image, grad, geometry, sums);
        }
    }
}

/// [`weight_gradient`] of filters of `SIDE` rows and columns.
#[inline(always)]
fn add_weight_gradient<I: InstructionSet, const SIDE: usize>(
    image: &[f32],
    grad: &[f32],
    geometry: Geometry,
    sums: &mut [f32],
) {
    let Geometry { height, stride, n_out: channels, .. } = geometry;
    for (oy, grad) in grad.chunks_exact(geometry.out_row_len()).enumerate() {
        for ky in 0..SIDE {
            let iy = (oy * stride + ky).wrapping_sub(SIDE / 2);
            if iy >= height {
                continue;
            }
            let row = &image[iy * geometry.width * channels..][..geometry.width * channels];
            let sums = &mut sums[ky * SIDE * channels..][..SIDE * channels];
            let mut c = 0;
            while c + 32 <= channels {
                filter_row_gradient::<I, 32, SIDE>(row, grad, geometry, c, sums);
                c += 32;
            }
            while c + 8 <= channels {
                filter_row_gradient::<I, 8, SIDE>(row, grad, geometry, c, sums);
                c += 8;
            }
            while c < channels {
                filter_row_gradient::<I, 1, SIDE>(row, grad, geometry, c, sums);
                c += 1;
            }
        }
    }
}

/// Adds the share of one row of the input and one of the output in the taps of a filter's row, for the `N` channels
/// from `c`.
#[inline(always)]
fn filter_row_gradient<I: InstructionSet, const N: usize, const SIDE: usize>(
    row: &[f32],
    grad: &[f32],
    geometry: Geometry,
    c: usize,
    sums: &mut [f32],
) {
    let Geometry { width, stride, n_out: channels, .. } = geometry;
    let mut taps = [[0.0; N]; SIDE];
    for (kx, tap) in taps.iter_mut().enumerate() {
        *tap = block(sums, kx * channels + c);
    }
    for ox in 0..geometry.out_width() {
        let grad = block(grad, ox * channels + c);
        for (kx, tap) in taps.iter_mut().enumerate() {
            let ix = (ox * stride + kx).wrapping_sub(SIDE / 2);
            if ix < width {
                add_product::<I, N>(tap, grad, block(row, ix * channels + c));
            }
        }
    }
    for (kx, tap) in taps.iter().enumerate() {
        sums[kx * channels + c..][..N].copy_from_slice(tap);
    }
}

/// The `N` values from `at`.
#[inline(always)]
fn block<const N: usize>(values: &[f32], at: usize) -> [f32; N] {
    values[at..][..N].try_into().expect("N elements")
}

#[inline(always)]
fn add_product<I: InstructionSet, const N: usize>(sum: &mut [f32; N], a: [f32; N], b: [f32; N]) {
    for i in 0..N {
        sum[i] = I::mul_add(a[i], b[i], sum[i]);
    }
}
