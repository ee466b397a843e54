//! The inner kernel: a tile of results that stays in registers.

use pulp::Simd;

use super::PANEL;
use crate::simd::{gelu_lanes, mul_add};

/// The operands of a tile: `out = finish(start + a b)` over `k` products.
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
    /// Added to the sums at the end, if not null.
    pub(super) shortcut: *const f32,
    pub(super) shortcut_stride: usize,
    /// Whether GELU comes last.
    pub(super) gelu: bool,
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

/// Steps along the inner dimension that are written out.
const UNROLL: usize = 4;

/// Adds the products of a column of the left matrix, of which `a` reads one row, with the panel's
/// row at `b`.
///
/// # Safety
/// [`PANEL`] elements lie at `b`.
#[inline(always)]
unsafe fn products<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sums: &mut [[S::f32s; V]; R],
    b: *const f32,
    a: impl Fn(usize) -> f32,
) {
    let mut columns = [simd.splat_f32s(0.0); V];
    for (v, column) in columns.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *column = unsafe { b.add(v * S::F32_LANES).cast::<S::f32s>().read() };
    }
    for (r, sum) in sums.iter_mut().enumerate() {
        let factor = simd.splat_f32s(a(r));
        for (sum, column) in sum.iter_mut().zip(&columns) {
            *sum = mul_add(simd, factor, *column, *sum);
        }
    }
}

/// Computes a tile of `R` rows and `V` registers a row, which is [`PANEL`] columns.
///
/// # Safety
/// All of the tile's operands and results lie in their allocations.
#[inline(always)]
unsafe fn run<S: Simd, const R: usize, const V: usize>(simd: S, tile: Tile) {
    let lanes = S::F32_LANES;
    debug_assert_eq!(V * lanes, PANEL);
    // SAFETY: the caller keeps every offset inside the operands; a register type of pulp has the
    // alignment of its elements.
    unsafe {
        let load = |from: *const f32, v: usize| from.add(v * lanes).cast::<S::f32s>().read();
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for (r, sum) in sums.iter_mut().enumerate() {
            let start = tile.start.add(r * tile.start_stride);
            for (v, sum) in sum.iter_mut().enumerate() {
                *sum = load(start, v);
            }
        }
        let mut b = tile.b;
        if tile.col_stride == 1 {
            let mut rows = [tile.a; R];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = tile.a.add(r * tile.row_stride);
            }
            for _ in 0..tile.k / UNROLL {
                for p in 0..UNROLL {
                    let from = b.add(p * tile.b_stride);
                    products::<S, R, V>(simd, &mut sums, from, |r| *rows[r].add(p));
                }
                for row in &mut rows {
                    *row = row.wrapping_add(UNROLL);
                }
                b = b.wrapping_add(UNROLL * tile.b_stride);
            }
            for p in 0..tile.k % UNROLL {
                products::<S, R, V>(simd, &mut sums, b, |r| *rows[r].add(p));
                b = b.wrapping_add(tile.b_stride);
            }
        } else {
            let mut a = tile.a;
            for _ in 0..tile.k {
                products::<S, R, V>(simd, &mut sums, b, |r| *a.add(r * tile.row_stride));
                a = a.wrapping_add(tile.col_stride);
                b = b.wrapping_add(tile.b_stride);
            }
        }
        if !tile.shortcut.is_null() {
            for (r, sum) in sums.iter_mut().enumerate() {
                let shortcut = tile.shortcut.add(r * tile.shortcut_stride);
                for (v, sum) in sum.iter_mut().enumerate() {
                    *sum = simd.add_f32s(*sum, load(shortcut, v));
                }
            }
        }
        if tile.gelu {
            for sum in &mut sums {
                for v in sum {
                    *v = gelu_lanes(simd, *v);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            let out = tile.out.add(r * tile.out_stride);
            for (v, sum) in sum.iter().enumerate() {
                out.add(v * lanes).cast::<S::f32s>().write(*sum);
            }
        }
    }
}

/// Runs a tile of `height` rows, at most [`TILE_ROWS`](super::TILE_ROWS).
///
/// # Safety
/// As [`run`].
#[inline(always)]
pub(super) unsafe fn run_tile<S: Simd>(simd: S, height: usize, tile: Tile) {
    // SAFETY: the caller's promise.
    unsafe {
        match S::F32_LANES {
            4 => run_height::<S, 4>(simd, height, tile),
            8 => run_height::<S, 2>(simd, height, tile),
            _ => run_height::<S, 1>(simd, height, tile),
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn run_height<S: Simd, const V: usize>(simd: S, height: usize, tile: Tile) {
    // SAFETY: the caller's promise.
    unsafe {
        match height {
            6 => run::<S, 6, V>(simd, tile),
            5 => run::<S, 5, V>(simd, tile),
            4 => run::<S, 4, V>(simd, tile),
            3 => run::<S, 3, V>(simd, tile),
            2 => run::<S, 2, V>(simd, tile),
            _ => run::<S, 1, V>(simd, tile),
        }
    }
}

/// A tile of which only `width` columns exist outside the packed panel.
///
/// # Safety
/// As [`run`], with `width` in place of [`PANEL`] for `start`, `shortcut` and `out`.
#[inline(always)]
pub(super) unsafe fn run_narrow_tile<S: Simd>(simd: S, height: usize, width: usize, tile: Tile) {
    let mut full = [[0f32; PANEL]; super::TILE_ROWS];
    let mut shortcut = full;
    // SAFETY: rows below `height` and columns below `width` exist outside.
    unsafe {
        copy_rows(tile.start, tile.start_stride, height, width, &mut full);
        let inner = if tile.shortcut.is_null() {
            tile.shortcut
        } else {
            copy_rows(tile.shortcut, tile.shortcut_stride, height, width, &mut shortcut);
            shortcut.as_ptr().cast()
        };
        let tile = Tile { shortcut: inner, shortcut_stride: PANEL, ..tile };
        let (start, out) = (full.as_ptr().cast(), full.as_mut_ptr().cast());
        let inner = Tile { start, start_stride: PANEL, out, out_stride: PANEL, ..tile };
        run_tile(simd, height, inner);
        for (r, row) in full.iter().enumerate().take(height) {
            let out = tile.out.add(r * tile.out_stride);
            std::slice::from_raw_parts_mut(out, width).copy_from_slice(&row[..width]);
        }
    }
}

/// # Safety
/// `height` rows of `width` elements lie at `from`, `stride` apart.
#[inline(always)]
unsafe fn copy_rows(
    from: *const f32,
    stride: usize,
    height: usize,
    width: usize,
    rows: &mut [[f32; PANEL]],
) {
    for (r, row) in rows.iter_mut().enumerate().take(height) {
        // SAFETY: the caller's promise.
        let from = unsafe { std::slice::from_raw_parts(from.add(r * stride), width) };
        row[..width].copy_from_slice(from);
    }
}
