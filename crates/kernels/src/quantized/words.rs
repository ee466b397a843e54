//! Products of one row with a matrix whose elements are read four bytes at a time.
//!
//! A word holds two elements of two bytes or four of one. Each place in a word is multiplied with its own
//! plane of the row: plane `k` of words of `n` elements holds the elements `n j + k`. So a register of
//! words needs no shuffle, whatever its width.

use pulp::{Simd, WithSimd};

use crate::simd::mul_add;

/// 2^112, which [`planes`] of half-precision products are multiplied with: the bits of a half, moved to
/// where single precision has them, are so much too small.
pub(super) const HALF_SCALE: f32 = f32::from_bits((127 + 112) << 23);

/// A finite half-precision number, without a branch.
#[inline(always)]
pub(super) fn from_f16(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let magnitude = f32::from_bits((bits & 0x7fff) << 13) * HALF_SCALE;
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

#[inline(always)]
pub(super) fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// 2^23: the lowest bits of a single from here on count in ones.
const ONES: u32 = 0x4b00_0000;
/// Makes a code unsigned when it is added to it.
const OFFSET: f32 = 128.0;

/// The planes of `x` for words of `n` elements, one after the other, each element times `factor`.
pub(super) fn planes(x: &[f32], n: usize, factor: f32) -> Vec<f32> {
    (0..n).flat_map(|k| x.iter().skip(k).step_by(n).map(move |v| v * factor)).collect()
}

/// The register of words at `index` in units of registers.
///
/// # Safety
/// `bytes` holds `index + 1` registers.
#[inline(always)]
unsafe fn load<S: Simd>(bytes: *const u8, index: usize) -> S::u32s {
    // SAFETY: the caller's promise; words need no alignment here.
    unsafe { bytes.cast::<S::u32s>().wrapping_add(index).read_unaligned() }
}

/// `out[i] = row i of weights · x`.
pub(super) struct DotF32<'a> {
    pub(super) weights: &'a [f32],
    pub(super) x: &'a [f32],
    pub(super) out: &'a mut [f32],
}

impl WithSimd for DotF32<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, x_rest) = S::as_simd_f32s(self.x);
        for (out, row) in self.out.iter_mut().zip(self.weights.chunks_exact(self.x.len())) {
            let (row, rest) = S::as_simd_f32s(row);
            let zero = simd.splat_f32s(0.0);
            let (mut a, mut b, mut c, mut d) = (zero, zero, zero, zero);
            let (blocks, left) = row.as_chunks::<4>();
            let (x_blocks, x_left) = x.as_chunks::<4>();
            for (w, x) in blocks.iter().zip(x_blocks) {
                a = mul_add(simd, w[0], x[0], a);
                b = mul_add(simd, w[1], x[1], b);
                c = mul_add(simd, w[2], x[2], c);
                d = mul_add(simd, w[3], x[3], d);
            }
            for (w, x) in left.iter().zip(x_left) {
                a = mul_add(simd, *w, *x, a);
            }
            let sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
            let mut sum = simd.reduce_sum_f32s(sum);
            for (w, x) in rest.iter().zip(x_rest) {
                sum += w * x;
            }
            *out = sum;
        }
    }
}

/// The same for elements of two bytes, two a word.
pub(super) struct DotHalves<'a> {
    pub(super) bits: &'a [u16],
    /// Two planes, of half precision times [`HALF_SCALE`].
    pub(super) planes: &'a [f32],
    /// Whether the elements are bf16.
    pub(super) brain: bool,
    pub(super) out: &'a mut [f32],
}

impl WithSimd for DotHalves<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n_words = self.planes.len() / 2;
        let (low, high) = self.planes.split_at(n_words);
        let ((low, low_rest), (high, high_rest)) = (S::as_simd_f32s(low), S::as_simd_f32s(high));
        let done = low.len() * S::F32_LANES;
        for (out, row) in self.out.iter_mut().zip(self.bits.chunks_exact(2 * n_words)) {
            let mut a = simd.splat_f32s(0.0);
            let mut b = a;
            for (i, (low, high)) in low.iter().zip(high).enumerate() {
                // SAFETY: a row has as many words as a plane has elements.
                let words = unsafe { load::<S>(row.as_ptr().cast(), i) };
                let [first, second] =
                    if self.brain { brains(simd, words) } else { halves(simd, words) };
                a = mul_add(simd, first, *low, a);
                b = mul_add(simd, second, *high, b);
            }
            let mut sum = simd.reduce_sum_f32s(simd.add_f32s(a, b));
            let rest = row[2 * done..].as_chunks::<2>().0.iter().zip(low_rest).zip(high_rest);
            for ((bits, low), high) in rest {
                let [first, second] = if self.brain {
                    bits.map(from_bf16)
                } else {
                    bits.map(|bits| from_f16(bits) / HALF_SCALE)
                };
                sum += first * low + second * high;
            }
            *out = sum;
        }
    }
}

/// The lower and the upper bf16 of each word.
#[inline(always)]
fn brains<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; 2] {
    let low = simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(16));
    let high = simd.and_u32s(words, simd.splat_u32s(0xffff_0000));
    [simd.transmute_f32s_u32s(low), simd.transmute_f32s_u32s(high)]
}

/// The lower and the upper half of each word, divided by [`HALF_SCALE`].
#[inline(always)]
fn halves<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; 2] {
    let sign = simd.splat_u32s(0x8000_0000);
    let magnitude = simd.splat_u32s(0x0fff_e000);
    let low = simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(16));
    let low_magnitude = simd.wrapping_dyn_shr_u32s(low, simd.splat_u32s(3));
    let high_magnitude = simd.wrapping_dyn_shr_u32s(words, simd.splat_u32s(3));
    let low = simd.or_u32s(simd.and_u32s(low, sign), simd.and_u32s(low_magnitude, magnitude));
    let high = simd.or_u32s(simd.and_u32s(words, sign), simd.and_u32s(high_magnitude, magnitude));
    [simd.transmute_f32s_u32s(low), simd.transmute_f32s_u32s(high)]
}

/// The same for codes of one byte, four a word.
pub(super) struct DotBytes<'a> {
    pub(super) codes: &'a [i8],
    /// One per `group` elements of a row.
    pub(super) scales: &'a [f32],
    /// A multiple of four.
    pub(super) group: usize,
    /// Four planes.
    pub(super) planes: &'a [f32],
    /// Room for a scale a word.
    pub(super) spread: &'a mut [f32],
    pub(super) out: &'a mut [f32],
}

impl WithSimd for DotBytes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n_words = self.planes.len() / 4;
        let n_groups = 4 * n_words / self.group;
        let mut planes = self.planes.chunks_exact(n_words).map(|plane| S::as_simd_f32s(plane).0);
        let mut plane = || planes.next().unwrap_or_default();
        let (x0, x1, x2, x3) = (plane(), plane(), plane(), plane());
        let n_registers = x0.len();
        let rows = self.codes.chunks_exact(4 * n_words).zip(self.scales.chunks_exact(n_groups));
        for (out, (row, scales)) in self.out.iter_mut().zip(rows) {
            let words_of_group = self.group / 4;
            for (spread, scale) in self.spread.chunks_exact_mut(words_of_group).zip(scales) {
                spread.fill(*scale);
            }
            let spread = S::as_simd_f32s(&*self.spread).0;
            let mut sum = simd.splat_f32s(0.0);
            for i in 0..n_registers {
                // SAFETY: a row has as many words as a plane has elements.
                let words = unsafe { load::<S>(row.as_ptr().cast(), i) };
                let [c0, c1, c2, c3] = bytes(simd, words);
                let a = mul_add(simd, c1, x1[i], simd.mul_f32s(c0, x0[i]));
                let b = mul_add(simd, c3, x3[i], simd.mul_f32s(c2, x2[i]));
                sum = mul_add(simd, simd.add_f32s(a, b), spread[i], sum);
            }
            let mut sum = simd.reduce_sum_f32s(sum);
            for word in n_registers * S::F32_LANES..n_words {
                for k in 0..4 {
                    let code = f32::from(row[4 * word + k]);
                    sum += code * self.planes[k * n_words + word] * self.spread[word];
                }
            }
            *out = sum;
        }
    }
}

/// The four codes of each word.
#[inline(always)]
fn bytes<S: Simd>(simd: S, words: S::u32s) -> [S::f32s; 4] {
    // -128 to 127 becomes 0 to 255.
    let words = simd.xor_u32s(words, simd.splat_u32s(0x8080_8080));
    let byte = simd.splat_u32s(0xff);
    let w1 = simd.wrapping_dyn_shr_u32s(words, simd.splat_u32s(8));
    let w2 = simd.wrapping_dyn_shr_u32s(words, simd.splat_u32s(16));
    let w3 = simd.wrapping_dyn_shr_u32s(words, simd.splat_u32s(24));
    [
        ones(simd, simd.and_u32s(words, byte)),
        ones(simd, simd.and_u32s(w1, byte)),
        ones(simd, simd.and_u32s(w2, byte)),
        ones(simd, w3),
    ]
}

/// Numbers of 0 to 255, less 128.
#[inline(always)]
fn ones<S: Simd>(simd: S, code: S::u32s) -> S::f32s {
    let single = simd.transmute_f32s_u32s(simd.or_u32s(code, simd.splat_u32s(ONES)));
    simd.sub_f32s(single, simd.splat_f32s(f32::from_bits(ONES) + OFFSET))
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};
    use pulp::{Scalar128b, WithSimd};

    use super::{DotBytes, DotF32, DotHalves, HALF_SCALE, planes};
    use crate::check::values;
    use crate::simd::vectorize;

    /// Sums of up to 180 products of magnitude 1.
    const LIMIT: f32 = 2e-5;
    const ROWS: usize = 3;

    #[track_caller]
    fn assert_products(what: &str, weights: &[f32], x: &[f32], out: [Vec<f32>; 2]) {
        for (i, weights) in weights.chunks_exact(x.len()).enumerate() {
            let sum: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            for out in &out {
                assert!((out[i] - sum as f32).abs() < LIMIT, "{what} {i}: {}, not {sum}", out[i]);
            }
        }
    }

    /// The outputs of `op` with the widest registers and with the narrowest.
    fn both<'a, Op: WithSimd>(op: impl Fn(&'a mut [f32]) -> Op, out: &'a mut [Vec<f32>; 2]) {
        let [wide, narrow] = out;
        vectorize(op(wide));
        op(narrow).with_simd(Scalar128b);
    }

    #[test]
    fn every_width_and_tail_agrees_with_the_definition() {
        for n in [4, 36, 180] {
            let (x, weights) = (values(n, 1), values(ROWS * n, 2));
            let empty = || [vec![f32::NAN; ROWS], vec![f32::NAN; ROWS]];
            let mut out = empty();
            both(|out| DotF32 { weights: &weights, x: &x, out }, &mut out);
            assert_products("f32", &weights, &x, out);
            // One half is below the smallest normal one.
            let halves: Vec<f16> =
                weights.iter().map(|w| f16::from_f32(if *w > 0.9 { 3e-6 } else { *w })).collect();
            let bits: Vec<u16> = halves.iter().map(|half| half.to_bits()).collect();
            let (exact, scaled): (Vec<f32>, _) =
                (halves.iter().map(|half| half.to_f32()).collect(), planes(&x, 2, HALF_SCALE));
            let mut out = empty();
            both(|out| DotHalves { bits: &bits, planes: &scaled, brain: false, out }, &mut out);
            assert_products("f16", &exact, &x, out);
            let brains: Vec<bf16> = weights.iter().map(|w| bf16::from_f32(*w)).collect();
            let bits: Vec<u16> = brains.iter().map(|brain| brain.to_bits()).collect();
            let (exact, plain): (Vec<f32>, _) =
                (brains.iter().map(|brain| brain.to_f32()).collect(), planes(&x, 2, 1.0));
            let mut out = empty();
            both(|out| DotHalves { bits: &bits, planes: &plain, brain: true, out }, &mut out);
            assert_products("bf16", &exact, &x, out);
            let codes: Vec<i8> = weights.iter().map(|w| (w * 128.0) as i8).collect();
            for group in [4, n] {
                let scales: Vec<f32> =
                    values(ROWS * n / group, 3).iter().map(|s| s / 128.0).collect();
                let code = |(i, code): (usize, &i8)| f32::from(*code) * scales[i / group];
                let exact: Vec<f32> = codes.iter().enumerate().map(code).collect();
                let mut products = empty();
                let planes = &planes(&x, 4, 1.0);
                let [spread, spread_narrow] = &mut [vec![0.0; n / 4], vec![0.0; n / 4]];
                let (codes, scales) = (&codes, &scales);
                let [out_wide, out_narrow] = &mut products;
                vectorize(DotBytes { codes, scales, group, planes, spread, out: out_wide });
                let (spread, out) = (spread_narrow, out_narrow);
                DotBytes { codes, scales, group, planes, spread, out }.with_simd(Scalar128b);
                assert_products("int8", &exact, &x, products);
            }
        }
    }
}
