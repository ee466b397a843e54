//! Loops over the pixels of one image.

use super::super::geometry::{Geometry, TAPS};
use crate::simd::{InstructionSet, multiversion};

/// Pixels that one result sums over: offset of the source pixel, offset of the tap's weights.
struct Sources {
    pairs: [(usize, usize); TAPS],
    len: usize,
}

impl Sources {
    const fn new() -> Self {
        Self { pairs: [(0, 0); TAPS], len: 0 }
    }

    #[inline(always)]
    fn push(&mut self, source: usize, tap: usize) {
        self.pairs[self.len] = (source, tap);
        self.len += 1;
    }

    /// `out = Σ source * tap`, over all channels.
    #[inline(always)]
    fn gather<I: InstructionSet>(&self, source: &[f32], taps: &[f32], out: &mut [f32]) {
        let channels = out.len();
        let mut c = 0;
        while c + 32 <= channels {
            self.gather_block::<I, 32>(source, taps, c, out);
            c += 32;
        }
        while c + 8 <= channels {
            self.gather_block::<I, 8>(source, taps, c, out);
            c += 8;
        }
        while c < channels {
            self.gather_block::<I, 1>(source, taps, c, out);
            c += 1;
        }
    }

    #[inline(always)]
    fn gather_block<I: InstructionSet, const N: usize>(
        &self,
        source: &[f32],
        taps: &[f32],
        c: usize,
        out: &mut [f32],
    ) {
        let mut sums = [0f32; N];
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
    pub(super) fn forward_row(image: &[f32], taps: &[f32], oy: usize, geometry: Geometry, out: &mut [f32]) {
        let Geometry { height, width, stride, n_out: channels, .. } = geometry;
        for (ox, out) in out.chunks_exact_mut(channels).enumerate() {
            let mut sources = Sources::new();
            for ky in 0..3 {
                let iy = (oy * stride + ky).wrapping_sub(1);
                for kx in 0..3 {
                    let ix = (ox * stride + kx).wrapping_sub(1);
                    if iy < height && ix < width {
                        sources.push((iy * width + ix) * channels, (ky * 3 + kx) * channels);
                    }
                }
            }
            sources.gather::<I>(image, taps, out);
        }
    }
}

multiversion! {
    /// The input gradient of one image.
    pub(super) fn input_gradient(grad: &[f32], taps: &[f32], geometry: Geometry, out: &mut [f32]) {
        let Geometry { width, stride, n_out: channels, .. } = geometry;
        let (out_height, out_width) = (geometry.out_height(), geometry.out_width());
        for (pixel, out) in out.chunks_exact_mut(channels).enumerate() {
            let (iy, ix) = (pixel / width, pixel % width);
            let mut sources = Sources::new();
            for ky in 0..3 {
                let y = (iy + 1).wrapping_sub(ky);
                for kx in 0..3 {
                    let x = (ix + 1).wrapping_sub(kx);
                    let (oy, ox) = (y / stride, x / stride);
                    let hit = y % stride == 0 && x % stride == 0;
                    if hit && oy < out_height && ox < out_width {
                        sources.push((oy * out_width + ox) * channels, (ky * 3 + kx) * channels);
                    }
                }
            }
            sources.gather::<I>(grad, taps, out);
        }
    }
}

multiversion! {
    /// Adds the weight gradient `[9, channels]` of one image to `sums`.
    pub(super) fn weight_gradient(image: &[f32], grad: &[f32], geometry: Geometry, sums: &mut [f32]) {
        let Geometry { height, stride, n_out: channels, .. } = geometry;
        for (oy, grad) in grad.chunks_exact(geometry.out_row_len()).enumerate() {
            for ky in 0..3 {
                let iy = (oy * stride + ky).wrapping_sub(1);
                if iy >= height {
                    continue;
                }
                let row = &image[iy * geometry.width * channels..][..geometry.width * channels];
                let sums = &mut sums[ky * 3 * channels..][..3 * channels];
                let mut c = 0;
                while c + 32 <= channels {
                    filter_row_gradient::<I, 32>(row, grad, geometry, c, sums);
                    c += 32;
                }
                while c + 8 <= channels {
                    filter_row_gradient::<I, 8>(row, grad, geometry, c, sums);
                    c += 8;
                }
                while c < channels {
                    filter_row_gradient::<I, 1>(row, grad, geometry, c, sums);
                    c += 1;
                }
            }
        }
    }
}

/// Adds what one row of the input and one of the output contribute to three taps, for the `N`
/// channels from `c`.
#[inline(always)]
fn filter_row_gradient<I: InstructionSet, const N: usize>(
    row: &[f32],
    grad: &[f32],
    geometry: Geometry,
    c: usize,
    sums: &mut [f32],
) {
    let Geometry { width, stride, n_out: channels, .. } = geometry;
    let block = |values: &[f32], at: usize| -> [f32; N] {
        values[at + c..][..N].try_into().expect("N elements")
    };
    let mut taps = [block(sums, 0), block(sums, channels), block(sums, 2 * channels)];
    for ox in 0..geometry.out_width() {
        let grad = block(grad, ox * channels);
        let center = ox * stride;
        if center > 0 {
            add_product::<I, N>(&mut taps[0], grad, block(row, (center - 1) * channels));
        }
        add_product::<I, N>(&mut taps[1], grad, block(row, center * channels));
        if center + 1 < width {
            add_product::<I, N>(&mut taps[2], grad, block(row, (center + 1) * channels));
        }
    }
    for (kx, tap) in taps.iter().enumerate() {
        sums[kx * channels + c..][..N].copy_from_slice(tap);
    }
}

#[inline(always)]
fn add_product<I: InstructionSet, const N: usize>(sum: &mut [f32; N], a: [f32; N], b: [f32; N]) {
    for i in 0..N {
        sum[i] = I::mul_add(a[i], b[i], sum[i]);
    }
}
