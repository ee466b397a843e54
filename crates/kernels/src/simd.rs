//! Choosing the instruction set at run time, and the elementary functions that vectorize.

/// One way of compiling a loop.
///
/// `f32::mul_add` is one instruction with FMA and a library call without, so loops ask their
/// instruction set for it.
pub(crate) trait InstructionSet {
    /// `a * b + c`.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// x86-64 with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Avx2;

#[cfg(target_arch = "x86_64")]
impl InstructionSet for Avx2 {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// Whatever the target guarantees.
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

/// Compiles a function twice, for AVX2 + FMA and for the target's baseline, and picks one at run
/// time. The body names its instruction set `I`.
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
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    body::<$crate::simd::Avx2>($($arg),*)
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

/// `e^x` for `x` in `[-87, 88]` (clamped to it), relative error below 2e-7.
///
/// Cephes' `expf`: a polynomial on `[-ln 2 / 2, ln 2 / 2]`, the power of two put in the exponent.
#[inline(always)]
pub(crate) fn exp<I: InstructionSet>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = I::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = I::mul_add(n, -0.693_359_4, x);
    let r = I::mul_add(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = I::mul_add(p, r, c);
    }
    let y = I::mul_add(p, r * r, r) + 1.0;
    y * f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000))
}

/// The error function, absolute error below 4e-7.
///
/// The rational approximation of Eigen's `generic_fast_erf_float` on `[-4, 4]`; ±1 beyond, where
/// the true value differs by 1.5e-8.
#[inline(always)]
pub(crate) fn erf<I: InstructionSet>(x: f32) -> f32 {
    let z = x.clamp(-4.0, 4.0);
    let z2 = z * z;
    let mut p = -2.726_142_3e-10;
    for c in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        p = I::mul_add(p, z2, c);
    }
    let mut q = -1.456_607_2e-5;
    for c in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2] {
        q = I::mul_add(q, z2, c);
    }
    let inside = z * p / q;
    if x.abs() >= 4.0 { 1f32.copysign(x) } else { inside }
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
    use super::{Portable, erf, exp};

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
