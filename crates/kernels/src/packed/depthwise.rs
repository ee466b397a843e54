//! Depthwise 3x3 convolution, a row at a time.

use pulp::{Simd, WithSimd};

use crate::conv::depthwise::taps_first;
use crate::simd::{gelu_lanes, mul_add, vectorize};

/// Convolution of every channel with a filter of its own, padding 1, stride 1 or 2.
#[derive(Debug, Clone)]
pub struct DepthwiseConv3x3 {
    /// `[9, channels]`.
    taps: Vec<f32>,
    bias: Vec<f32>,
    stride: usize,
}

impl DepthwiseConv3x3 {
    /// Packs a `weight` of `[bias.len(), 1, 3, 3]`.
    ///
    /// # Panics
    /// If the weight has another size, or `stride` is neither 1 nor 2.
    #[must_use]
    pub fn new(weight: &[f32], bias: &[f32], stride: usize) -> Self {
        let channels = bias.len();
        assert!(channels > 0 && weight.len() == channels * 9, "one 3x3 filter a channel");
        assert!(matches!(stride, 1 | 2), "the stride is 1 or 2");
        let taps = taps_first(weight, channels);
        Self { taps, bias: bias.to_vec(), stride }
    }

    /// Channels of the input and the output.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// Pixels between two places of a filter.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// One row of the output, `[ceil(width / stride), channels]`, from the three rows of the input
    /// around it, each `[width, channels]`, or `None` outside the image; then GELU, if asked.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn apply_row(&self, rows: [Option<&[f32]>; 3], gelu: bool, out: &mut [f32]) {
        let channels = self.channels();
        let len = rows.into_iter().flatten().map(<[f32]>::len).next().unwrap_or(0);
        assert!(rows.into_iter().flatten().all(|row| row.len() == len), "rows of one length");
        let width = len / channels;
        let fits = len == width * channels && out.len() == width.div_ceil(self.stride) * channels;
        assert!(fits && width > 0, "rows are [width, channels]");
        vectorize(Row { layer: self, rows, width, gelu, out });
    }
}

/// One row, its sizes checked.
struct Row<'a> {
    layer: &'a DepthwiseConv3x3,
    rows: [Option<&'a [f32]>; 3],
    width: usize,
    gelu: bool,
    out: &'a mut [f32],
}

impl WithSimd for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        match self.layer.stride {
            1 => self.run::<S, 1>(simd),
            _ => self.run::<S, 2>(simd),
        }
    }
}

impl Row<'_> {
    #[inline(always)]
    fn run<S: Simd, const STRIDE: usize>(&mut self, simd: S) {
        let out_width = self.width.div_ceil(STRIDE);
        let mut x = 0;
        while x + 4 <= out_width {
            self.pixels::<S, STRIDE, 4>(simd, x);
            x += 4;
        }
        while x < out_width {
            self.pixels::<S, STRIDE, 1>(simd, x);
            x += 1;
        }
    }

    /// `N` pixels of the output from `x`, all channels.
    #[inline(always)]
    fn pixels<S: Simd, const STRIDE: usize, const N: usize>(&mut self, simd: S, x: usize) {
        let channels = self.layer.channels();
        let full = channels / S::F32_LANES * S::F32_LANES;
        for c in (0..full).step_by(S::F32_LANES) {
            let load = |values: &[f32], at: usize| {
                debug_assert!(at + S::F32_LANES <= values.len());
                // SAFETY: `c + lanes <= channels`, and the rows, taps and biases that `sums` reads
                // hold whole pixels of `channels` elements; pulp's registers have their alignment.
                unsafe { values.as_ptr().add(at).cast::<S::f32s>().read() }
            };
            let sums = self.sums::<S, STRIDE, N>(simd, x, c, load);
            for (i, sum) in sums.into_iter().enumerate() {
                let out = &mut self.out[(x + i) * channels + c..][..S::F32_LANES];
                out.copy_from_slice(pulp::bytemuck::cast_slice(std::slice::from_ref(&sum)));
            }
        }
        if full < channels {
            let rest = channels - full;
            let load = |values: &[f32], at: usize| simd.partial_load_f32s(&values[at..][..rest]);
            let sums = self.sums::<S, STRIDE, N>(simd, x, full, load);
            for (i, sum) in sums.into_iter().enumerate() {
                simd.partial_store_f32s(&mut self.out[(x + i) * channels + full..][..rest], sum);
            }
        }
    }

    /// The results of `N` pixels from `x` for the channels from `c`, as many as `load` reads.
    #[inline(always)]
    fn sums<S: Simd, const STRIDE: usize, const N: usize>(
        &self,
        simd: S,
        x: usize,
        c: usize,
        load: impl Fn(&[f32], usize) -> S::f32s,
    ) -> [S::f32s; N] {
        let channels = self.layer.channels();
        let mut sums = [load(&self.layer.bias, c); N];
        // The first column of the input that a filter reads, one too far right.
        let left = x * STRIDE;
        for (ky, row) in self.rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let tap = |kx: usize| load(&self.layer.taps, (ky * 3 + kx) * channels + c);
            let taps = [tap(0), tap(1), tap(2)];
            for column in 0..(N - 1) * STRIDE + 3 {
                if left + column == 0 || left + column > self.width {
                    continue;
                }
                let value = load(row, (left + column - 1) * channels + c);
                for (i, sum) in sums.iter_mut().enumerate() {
                    if column >= i * STRIDE && column < i * STRIDE + 3 {
                        *sum = mul_add(simd, value, taps[column - i * STRIDE], *sum);
                    }
                }
            }
        }
        if self.gelu {
            for sum in &mut sums {
                *sum = gelu_lanes(simd, *sum);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::DepthwiseConv3x3;
    use crate::check::values;

    #[test]
    fn rows_agree_with_the_definition_for_every_width_and_tail() {
        for (height, width, channels, stride) in [
            (3, 7, 35, 1),
            (4, 9, 16, 2),
            (5, 10, 19, 2),
            (1, 1, 8, 1),
            (2, 2, 3, 2),
            (3, 4, 64, 1),
        ] {
            let x = values(height * width * channels, 1);
            let weight = values(channels * 9, 2);
            let bias = values(channels, 3);
            let layer = DepthwiseConv3x3::new(&weight, &bias, stride);
            let row = |y: usize| {
                let y = y.checked_sub(1).filter(|y| *y < height)?;
                Some(&x[y * width * channels..][..width * channels])
            };
            for oy in 0..height.div_ceil(stride) {
                let mut out = vec![f32::NAN; width.div_ceil(stride) * channels];
                let y = oy * stride;
                layer.apply_row([row(y), row(y + 1), row(y + 2)], false, &mut out);
                for (i, out) in out.iter().enumerate() {
                    let (ox, c) = (i / channels, i % channels);
                    let mut sum = bias[c];
                    for ky in 0..3 {
                        for kx in 0..3 {
                            let column = (ox * stride + kx).checked_sub(1).filter(|x| *x < width);
                            if let (Some(row), Some(column)) = (row(y + ky), column) {
                                sum += row[column * channels + c] * weight[c * 9 + ky * 3 + kx];
                            }
                        }
                    }
                    assert!((out - sum).abs() < 1e-5, "{oy} {ox} {c}: {out}, not {sum}");
                }
            }
        }
    }
}
