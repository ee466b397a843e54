//! The inner kernel: a tile of results that stays in registers.

use super::{PANEL, TILE_ROWS};
use crate::simd;

/// The operands of a tile: `out = start + a b` over `k` products.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) k: usize,
    pub(super) a: *const f32,
    pub(super) row_stride: usize,
    pub(super) col_stride: usize,
    pub(super) b: *const f32,
    pub(super) b_stride: usize,
    pub(super) start: *const f32,
    pub(super) start_stride: usize,
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

pub(super) trait TileKernel {
    /// Computes a tile of `R` rows and [`PANEL`] columns.
    ///
    /// # Safety
    /// All of the tile's operands and results lie in their allocations, and the processor has the
    /// implementation's instruction set.
    unsafe fn run<const R: usize>(tile: Tile);
}

pub(super) struct Plain;

impl TileKernel for Plain {
    #[inline(always)]
    unsafe fn run<const R: usize>(tile: Tile) {
        let mut sums = [[0f32; PANEL]; R];
        // SAFETY: the caller keeps every offset below inside the operands.
        unsafe {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = tile.start.add(r * tile.start_stride).cast::<[f32; PANEL]>().read();
            }
            for p in 0..tile.k {
                let b = tile.b.add(p * tile.b_stride).cast::<[f32; PANEL]>().read();
                for (r, sum) in sums.iter_mut().enumerate() {
                    let a = *tile.a.add(r * tile.row_stride + p * tile.col_stride);
                    for (s, b) in sum.iter_mut().zip(b) {
                        *s = <simd::Portable as simd::InstructionSet>::mul_add(a, b, *s);
                    }
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                tile.out.add(r * tile.out_stride).cast::<[f32; PANEL]>().write(*sum);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl TileKernel for simd::Avx2 {
    #[inline(always)]
    unsafe fn run<const R: usize>(tile: Tile) {
        use std::arch::x86_64::{
            _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps,
            _mm256_storeu_ps,
        };
        // SAFETY: the caller keeps every offset inside the operands and has checked for AVX2, FMA.
        unsafe {
            let mut sums = [[_mm256_setzero_ps(); 2]; R];
            for (r, sum) in sums.iter_mut().enumerate() {
                let start = tile.start.add(r * tile.start_stride);
                *sum = [_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(8))];
            }
            let (mut a, mut b) = (tile.a, tile.b);
            for _ in 0..tile.k {
                let (b0, b1) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
                for (r, sum) in sums.iter_mut().enumerate() {
                    let factor = _mm256_broadcast_ss(&*a.add(r * tile.row_stride));
                    sum[0] = _mm256_fmadd_ps(factor, b0, sum[0]);
                    sum[1] = _mm256_fmadd_ps(factor, b1, sum[1]);
                }
                a = a.wrapping_add(tile.col_stride);
                b = b.wrapping_add(tile.b_stride);
            }
            for (r, sum) in sums.iter().enumerate() {
                let out = tile.out.add(r * tile.out_stride);
                _mm256_storeu_ps(out, sum[0]);
                _mm256_storeu_ps(out.add(8), sum[1]);
            }
        }
    }
}

/// # Safety
/// As [`TileKernel::run`].
#[inline(always)]
pub(super) unsafe fn run_tile<T: TileKernel>(height: usize, tile: Tile) {
    // SAFETY: the caller's promise.
    unsafe {
        match height {
            6 => T::run::<6>(tile),
            5 => T::run::<5>(tile),
            4 => T::run::<4>(tile),
            3 => T::run::<3>(tile),
            2 => T::run::<2>(tile),
            _ => T::run::<1>(tile),
        }
    }
}

/// A tile of which only `width` columns exist outside the packed panel.
///
/// # Safety
/// As [`TileKernel::run`], with `width` in place of [`PANEL`] for `start` and `out`.
#[inline(always)]
pub(super) unsafe fn run_narrow_tile<T: TileKernel>(height: usize, width: usize, tile: Tile) {
    let mut full = [0f32; TILE_ROWS * PANEL];
    // SAFETY: rows below `height` and columns below `width` exist in `start` and `out`.
    unsafe {
        for (r, row) in full.chunks_exact_mut(PANEL).enumerate().take(height) {
            let start = tile.start.add(r * tile.start_stride);
            row[..width].copy_from_slice(std::slice::from_raw_parts(start, width));
        }
        let (start, out) = (full.as_ptr(), full.as_mut_ptr());
        run_tile::<T>(height, Tile { start, start_stride: PANEL, out, out_stride: PANEL, ..tile });
        for (r, row) in full.chunks_exact(PANEL).enumerate().take(height) {
            let out = tile.out.add(r * tile.out_stride);
            std::slice::from_raw_parts_mut(out, width).copy_from_slice(&row[..width]);
        }
    }
}
