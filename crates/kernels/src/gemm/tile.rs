//! The inner kernel: a tile of results that stays in registers.

use pulp::{Simd, WithSimd};

use crate::simd::{gelu_lanes, mul_add};

/// Columns of a panel: two AVX registers, four of NEON, one of AVX-512.
pub(crate) const PANEL: usize = 16;

/// The operands of a tile: `out = finish(start + a b)` over `k` products.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) k: usize,
    pub(super) a: *const f32,
    pub(super) row_stride: usize,
    pub(super) col_stride: usize,
    /// The first panel.
    pub(super) b: *const f32,
    /// Elements between two panels.
    pub(super) b_panel: usize,
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

impl Tile {
    /// The tile without its first `columns`, fewer than a panel.
    fn right_of(self, columns: usize) -> Self {
        let shortcut = match self.shortcut.is_null() {
            true => self.shortcut,
            false => self.shortcut.wrapping_add(columns),
        };
        Self {
            b: self.b.wrapping_add(columns),
            start: self.start.wrapping_add(columns),
            out: self.out.wrapping_add(columns),
            shortcut,
            ..self
        }
    }
}

/// Steps along the inner dimension that are written out.
const UNROLL: usize = 4;

/// Rows of the tallest tile of any instruction set.
pub(super) const MAX_ROWS: usize = 12;

/// Rows and panels of the largest tile: what leaves registers for the operands.
///
/// 6 rows of 2 registers of the 16 of AVX, 12 of 2 of the 32 of AVX-512; NEON could hold more than 6
/// of 4. WebAssembly's 4 lanes mostly lie in 16 registers, of which products without a fused addition take one more and
/// the browser one: a panel is passed in two halves of 2, with 5 rows.
#[inline(always)]
pub(super) fn largest<S: Simd>() -> (usize, usize) {
    match S::F32_LANES {
        PANEL.. => (MAX_ROWS, 2),
        4 if cfg!(target_arch = "wasm32") => (5, 1),
        _ => (6, 1),
    }
}

/// Evaluates `$body` with every `$i` below `$n`, at most [`MAX_ROWS`], as a constant.
///
/// A loop would be unrolled too, but so late that the compiler leaves in memory what it indexes.
macro_rules! unrolled {
    ($i:ident < $n:ident, $body:expr) => {
        unrolled!(@ $i $n $body; 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $i:ident $n:ident $body:expr; $($index:literal)*) => {
        $(if $index < $n {
            let $i: usize = $index;
            $body;
        })*
    };
}

/// Adds the products of a column of the left matrix, of which `a` reads one row, with a row of the
/// panels at `b`, `panel` elements apart.
///
/// # Safety
/// [`PANEL`] elements lie at the start of each panel.
#[inline(always)]
unsafe fn products<S: Simd, const R: usize, const W: usize>(
    simd: S,
    sums: &mut [[S::f32s; W]; R],
    b: *const f32,
    panel: usize,
    a: impl Fn(usize) -> f32,
) {
    let lanes = S::F32_LANES;
    let mut columns = [simd.splat_f32s(0.0); W];
    unrolled!(w < W, {
        let (whole, rest) = (w * lanes / PANEL, w * lanes % PANEL);
        // SAFETY: the caller's promise.
        columns[w] = unsafe { b.add(whole * panel + rest).cast::<S::f32s>().read() };
    });
    unrolled!(r < R, {
        let factor = simd.splat_f32s(a(r));
        unrolled!(w < W, sums[r][w] = mul_add(simd, factor, columns[w], sums[r][w]));
    });
}

/// Computes a tile of `R` rows and `W` registers a row, which is one panel or more, or a part of one.
///
/// # Safety
/// All of the tile's operands and results lie in their allocations.
#[inline(always)]
unsafe fn run<S: Simd, const R: usize, const W: usize>(simd: S, tile: Tile) {
    let lanes = S::F32_LANES;
    debug_assert!((W * lanes).is_multiple_of(PANEL) || PANEL.is_multiple_of(W * lanes));
    // SAFETY: the caller keeps every offset inside the operands; a register type of pulp has the
    // alignment of its elements.
    unsafe {
        let load = |from: *const f32, w: usize| from.add(w * lanes).cast::<S::f32s>().read();
        let mut sums = [[simd.splat_f32s(0.0); W]; R];
        unrolled!(r < R, {
            let start = tile.start.add(r * tile.start_stride);
            unrolled!(w < W, sums[r][w] = load(start, w));
        });
        let (mut b, panel) = (tile.b, tile.b_panel);
        if tile.col_stride == 1 {
            let mut rows = [tile.a; R];
            unrolled!(r < R, rows[r] = tile.a.add(r * tile.row_stride));
            for _ in 0..tile.k / UNROLL {
                for p in 0..UNROLL {
                    let from = b.add(p * PANEL);
                    products::<S, R, W>(simd, &mut sums, from, panel, |r| *rows[r].add(p));
                }
                unrolled!(r < R, rows[r] = rows[r].wrapping_add(UNROLL));
                b = b.wrapping_add(UNROLL * PANEL);
            }
            for p in 0..tile.k % UNROLL {
                products::<S, R, W>(simd, &mut sums, b, panel, |r| *rows[r].add(p));
                b = b.wrapping_add(PANEL);
            }
        } else {
            let mut a = tile.a;
            for _ in 0..tile.k {
                products::<S, R, W>(simd, &mut sums, b, panel, |r| *a.add(r * tile.row_stride));
                a = a.wrapping_add(tile.col_stride);
                b = b.wrapping_add(PANEL);
            }
        }
        if !tile.shortcut.is_null() {
            unrolled!(r < R, {
                let shortcut = tile.shortcut.add(r * tile.shortcut_stride);
                unrolled!(w < W, sums[r][w] = simd.add_f32s(sums[r][w], load(shortcut, w)));
            });
        }
        unrolled!(r < R, {
            let out = tile.out.add(r * tile.out_stride);
            unrolled!(w < W, out.add(w * lanes).cast::<S::f32s>().write(sums[r][w]));
        });
        if tile.gelu {
            for r in 0..R {
                for w in 0..W {
                    let out = tile.out.add(r * tile.out_stride + w * lanes).cast::<S::f32s>();
                    out.write(gelu_lanes(simd, out.read()));
                }
            }
        }
    }
}

/// [`run`] in a stack frame of its own. Without optimization, a function keeps room for every register it names:
/// one with tiles of every size would take 1.9 MB, nearly all of a thread's usual stack.
struct Run<const R: usize, const W: usize>(Tile);

impl<const R: usize, const W: usize> WithSimd for Run<R, W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: the callers of `run_low` and `run_tall`, which alone make it, promise what `run` asks for.
        unsafe { run::<S, R, W>(simd, self.0) }
    }
}

/// Runs a tile of `height` rows and `panels` panels, at most those of [`largest`].
///
/// # Safety
/// As [`run`].
#[inline(always)]
pub(super) unsafe fn run_tile<S: Simd>(simd: S, height: usize, panels: usize, tile: Tile) {
    // SAFETY: the caller's promise.
    unsafe {
        match (S::F32_LANES, panels) {
            (4, _) if cfg!(target_arch = "wasm32") => {
                run_low::<S, 2>(simd, height, tile);
                run_low::<S, 2>(simd, height, tile.right_of(PANEL / 2));
            }
            (4, _) => run_low::<S, 4>(simd, height, tile),
            (8, _) => run_low::<S, 2>(simd, height, tile),
            (_, 1) => run_tall::<S, 1>(simd, height, tile),
            (_, _) => run_tall::<S, 2>(simd, height, tile),
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn run_low<S: Simd, const W: usize>(simd: S, height: usize, tile: Tile) {
    match height {
        6 => simd.vectorize(Run::<6, W>(tile)),
        5 => simd.vectorize(Run::<5, W>(tile)),
        4 => simd.vectorize(Run::<4, W>(tile)),
        3 => simd.vectorize(Run::<3, W>(tile)),
        2 => simd.vectorize(Run::<2, W>(tile)),
        _ => simd.vectorize(Run::<1, W>(tile)),
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn run_tall<S: Simd, const W: usize>(simd: S, height: usize, tile: Tile) {
    match height {
        12 => simd.vectorize(Run::<12, W>(tile)),
        11 => simd.vectorize(Run::<11, W>(tile)),
        10 => simd.vectorize(Run::<10, W>(tile)),
        9 => simd.vectorize(Run::<9, W>(tile)),
        8 => simd.vectorize(Run::<8, W>(tile)),
        7 => simd.vectorize(Run::<7, W>(tile)),
        // SAFETY: the caller's promise.
        _ => unsafe { run_low::<S, W>(simd, height, tile) },
    }
}

/// A tile of one panel, of which only `width` columns exist outside.
///
/// # Safety
/// As [`run`], with `width` in place of [`PANEL`] for `start`, `shortcut` and `out`.
#[inline(always)]
pub(super) unsafe fn run_narrow_tile<S: Simd>(simd: S, height: usize, width: usize, tile: Tile) {
    let mut full = [[0f32; PANEL]; MAX_ROWS];
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
        run_tile(simd, height, 1, inner);
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
