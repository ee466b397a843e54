//! Choosing the instruction set at run time, and the elementary functions that vectorize.
//!
//! There are two ways to write a kernel. A loop that the compiler vectorizes by itself is a plain
//! loop under [`multiversion!`]. One whose registers are laid out by hand is a [`pulp::WithSimd`]
//! run by [`vectorize`]: the same code for AVX2, AVX-512, NEON and whatever else `pulp` knows.
//! Functions that such a kernel calls must be `#[inline(always)]`, and no closure may compute with
//! registers: code that is not inlined into it is compiled for the target's baseline.

use std::any::TypeId;

use pulp::{Simd, WithSimd};

/// One way of compiling a loop.
///
/// `f32::mul_add` is one instruction with FMA and a library call without, so loops ask their
/// instruction set for it.
pub(crate) trait InstructionSet {
    /// `a * b + c`.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// x86-64 with FMA: with AVX2, or with AVX-512 as well.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Fma;

#[cfg(target_arch = "x86_64")]
impl InstructionSet for Fma {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// The instruction set that the target guarantees.
pub(crate) struct Portable;

impl InstructionSet for Portable {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            a.mul_add(b, c)
        } else {
            a * b + c
        }
    }
}

/// Whether the processor has AVX2 and FMA (the standard library caches the answer).
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Whether the processor has the parts of AVX-512 that loops over `f32` use.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Compiles a function for AVX-512, for AVX2 + FMA and for the target's baseline, and picks one at
/// run time. The body names its instruction set `I`.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident(
        $($arg:ident: $ty:ty),* $(,)?
    ) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::extra_unused_type_parameters)]
            fn body<I: $crate::simd::InstructionSet>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    body::<$crate::simd::Fma>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    body::<$crate::simd::Fma>($($arg),*)
                }
                if $crate::simd::has_avx512() {
                    // SAFETY: the processor was just found to have these features.
                    return unsafe { avx512($($arg),*) };
                }
                if $crate::simd::has_avx2() {
                    // SAFETY: the processor was just found to have both features.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body::<$crate::simd::Portable>($($arg),*)
        }
    };
}
pub(crate) use multiversion;

/// Adding it rounds to an integer and leaves that in the low bits: 1.5 * 2^23.
const ROUND: f32 = 12_582_912.0;
/// The exponents at which e^x is close to the smallest and the largest normal number.
const EXP_MIN: f32 = -87.0;
const EXP_MAX: f32 = 88.0;
/// ln 2 in two parts, of which the first times a small integer is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Cephes' `expf`.
const EXP: [f32; 6] =
    [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// Beyond it erf differs from 1 by 1.5e-8.
const ERF_LIMIT: f32 = 4.0;
/// The rational approximation of Eigen's `generic_fast_erf_float` on `[-4, 4]`.
const ERF_NUMERATOR: [f32; 7] = [
    -2.726_142_3e-10,
    2.770_681_4e-8,
    -2.101_024e-6,
    -5.692_506_5e-5,
    -7.349_906e-4,
    -2.954_6e-3,
    -1.609_603_3e-2,
];
const ERF_DENOMINATOR: [f32; 5] =
    [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];

/// Beyond it the normal distribution function differs from 0 or 1 by 1e-7.
const NORMAL_LIMIT: f32 = 5.2;
const NORMAL_NUMERATOR: [f32; 5] =
    [6.111_182_8e-6, 3.290_554_7e-4, 5.607_363e-3, 5.087_068_7e-2, 3.989_414_6e-1];
const NORMAL_DENOMINATOR: [f32; 6] =
    [5.223_057_5e-7, 1.184_267_5e-4, 2.784_791_4e-3, 3.809_946e-2, 2.941_708e-1, 1.0];

/// `e^x` for `x` in `[-87, 88]` (clamped to it), relative error below 2e-7.
///
/// A polynomial on `[-ln 2 / 2, ln 2 / 2]`, the power of two put in the exponent.
#[inline(always)]
pub(crate) fn exp<I: InstructionSet>(x: f32) -> f32 {
    let x = x.clamp(EXP_MIN, EXP_MAX);
    let shifted = I::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = I::mul_add(n, -LN_2_HIGH, x);
    let r = I::mul_add(n, -LN_2_LOW, r);
    let mut p = EXP[0];
    for c in &EXP[1..] {
        p = I::mul_add(p, r, *c);
    }
    let y = I::mul_add(p, r * r, r) + 1.0;
    y * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1f32.to_bits()))
}

/// The error function, absolute error below 4e-7; ±1 beyond [`ERF_LIMIT`].
#[inline(always)]
pub(crate) fn erf<I: InstructionSet>(x: f32) -> f32 {
    let z = x.clamp(-ERF_LIMIT, ERF_LIMIT);
    let z2 = z * z;
    let mut p = ERF_NUMERATOR[0];
    for c in &ERF_NUMERATOR[1..] {
        p = I::mul_add(p, z2, *c);
    }
    let mut q = ERF_DENOMINATOR[0];
    for c in &ERF_DENOMINATOR[1..] {
        q = I::mul_add(q, z2, *c);
    }
    let inside = z * p / q;
    if x.abs() >= ERF_LIMIT { 1f32.copysign(x) } else { inside }
}

/// Runs `op` with the widest instruction set that the processor has and that it was compiled for.
#[inline]
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(crate) fn vectorize<Op: WithSimd>(op: Op) -> Op::Output {
    match pulp::Arch::new() {
        // One lane at a time would waste what every target can do: four.
        pulp::Arch::Scalar => op.with_simd(pulp::Scalar128b),
        arch => arch.dispatch(op),
    }
}

/// WebAssembly has no choice at run time. pulp's would bring relaxed instructions into the module, which browsers
/// that lack them refuse as a whole.
#[inline]
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) fn vectorize<Op: WithSimd>(op: Op) -> Op::Output {
    // SAFETY: this is compiled for targets that have the instructions.
    op.with_simd(unsafe { Lanes::new_unchecked() })
}

/// The registers of a target that has no fused multiply-add: pulp would call a library for each lane.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
type Lanes = pulp::wasm::Simd128;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
type Lanes = pulp::Scalar128b;

/// `a * b + c`: one instruction where the processor has it, and never a library call.
#[inline(always)]
pub(crate) fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    let emulated = TypeId::of::<S>() == TypeId::of::<Lanes>();
    if emulated && !cfg!(target_feature = "fma") {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_f32s(a, b, c)
    }
}

/// `coefficients[0] * x^n + ... + coefficients[n]`.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[0]);
    for c in &coefficients[1..] {
        sum = mul_add(simd, sum, x, simd.splat_f32s(*c));
    }
    sum
}

/// `x` clamped to `[low, high]`; NaN becomes one of the two.
#[inline(always)]
fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    simd.min_f32s(simd.max_f32s(x, simd.splat_f32s(low)), simd.splat_f32s(high))
}

/// [`exp`] of every lane.
#[inline(always)]
pub(crate) fn exp_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = clamp(simd, x, EXP_MIN, EXP_MAX);
    let round = simd.splat_f32s(ROUND);
    let shifted = mul_add(simd, x, simd.splat_f32s(std::f32::consts::LOG2_E), round);
    let n = simd.sub_f32s(shifted, round);
    let r = mul_add(simd, n, simd.splat_f32s(-LN_2_HIGH), x);
    let r = mul_add(simd, n, simd.splat_f32s(-LN_2_LOW), r);
    let p = polynomial(simd, r, &EXP);
    let y = mul_add(simd, p, simd.mul_f32s(r, r), r);
    let y = simd.add_f32s(y, simd.splat_f32s(1.0));
    let bits = simd.transmute_u32s_f32s(shifted);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let power = simd.add_u32s(exponent, simd.splat_u32s(1f32.to_bits()));
    simd.mul_f32s(y, simd.transmute_f32s_u32s(power))
}

/// GELU of every lane, `x Φ(x)`; its error is below 4e-7, and below 4e-7 of `x` where that is
/// larger.
///
/// `Φ(x) - 1/2` is an odd function: `x` times a rational function of `x²` on `[-5.2, 5.2]`, fitted for
/// the smallest largest error of the product.
#[inline(always)]
pub(crate) fn gelu_lanes<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let z = clamp(simd, x, -NORMAL_LIMIT, NORMAL_LIMIT);
    let z2 = simd.mul_f32s(z, z);
    let p = simd.mul_f32s(z, polynomial(simd, z2, &NORMAL_NUMERATOR));
    let q = polynomial(simd, z2, &NORMAL_DENOMINATOR);
    simd.mul_f32s(x, simd.add_f32s(simd.div_f32s(p, q), simd.splat_f32s(0.5)))
}

multiversion! {
    /// `total += row`, for every row of `rows`.
    pub(crate) fn add_rows(rows: &[f32], total: &mut [f32]) {
        for row in rows.chunks_exact(total.len()) {
            for (t, v) in total.iter_mut().zip(row) {
                *t += v;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pulp::{Simd, WithSimd};

    use super::{Portable, erf, exp, exp_lanes, gelu_lanes, vectorize};

    /// Both functions of every element, in whole registers.
    struct Both<'a>(&'a mut [f32], &'a mut [f32]);

    impl WithSimd for Both<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for v in S::as_mut_simd_f32s(self.0).0 {
                *v = gelu_lanes(simd, *v);
            }
            for v in S::as_mut_simd_f32s(self.1).0 {
                *v = exp_lanes(simd, *v);
            }
        }
    }

    #[test]
    fn lanes_are_within_their_stated_errors() {
        let x: Vec<f32> = (-40_000..40_000).map(|i| i as f32 / 5000.0).collect();
        let (mut gelu, mut exp) = (x.clone(), x.clone());
        vectorize(Both(&mut gelu, &mut exp));
        let (mut portable_gelu, mut portable_exp) = (x.clone(), x.clone());
        Both(&mut portable_gelu, &mut portable_exp).with_simd(pulp::Scalar128b);
        for (i, x) in x.iter().map(|x| f64::from(*x)).enumerate() {
            let z = x / std::f64::consts::SQRT_2;
            let erf = if z.abs() < 4.5 { exact_erf(z) } else { z.signum() };
            let exact = 0.5 * x * (1.0 + erf);
            for gelu in [gelu[i], portable_gelu[i]] {
                let error = (f64::from(gelu) - exact).abs() / x.abs().max(1.0);
                assert!(error < 4e-7, "gelu({x}) is off by {error:e}");
            }
            for exp in [exp[i], portable_exp[i]] {
                let error = (f64::from(exp) / x.exp() - 1.0).abs();
                assert!(error < 2e-7, "exp({x}) is off by {error:e}");
            }
        }
    }

    /// erf by its Taylor series in f64: exact to 1e-8 for |x| < 4.5.
    pub(crate) fn exact_erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn erf_is_within_its_stated_error() {
        for i in -4500..=4500 {
            let x = i as f32 / 1000.0;
            let error = (f64::from(erf::<Portable>(x)) - exact_erf(f64::from(x))).abs();
            assert!(error < 4e-7, "erf({x}) is off by {error:e}");
        }
    }

    #[test]
    fn exp_is_within_its_stated_relative_error() {
        for i in -8700..=880 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp::<Portable>(x)) / exact - 1.0).abs();
            assert!(error < 2e-7, "exp({x}) is off by {error:e}");
        }
    }
}
