//! Matrix multiplication with the right-hand side packed in panels of 16 columns.
//!
//! A tile of results, 6 x 16 with AVX2 and 12 x 32 with AVX-512, lives in registers while it sums over
//! a block of the inner dimension.
//! Sums run in one order whatever the number of threads: callers split rows, never the sum.

#[cfg(target_arch = "x86_64")]
mod amx;
mod operand;
mod outer;
mod tile;

use std::ptr;

use pulp::{Simd, WithSimd};

use self::tile::{Tile, largest, run_narrow_tile, run_tile};
use crate::simd::vectorize;

pub(crate) use self::operand::{Operand, Outer, products};
pub use self::operand::{Products, with_products};

pub(crate) use self::tile::PANEL;

/// A multiple of it, as rows of a product, wastes nothing with any instruction set.
pub const TILE_ROWS: usize = tile::MAX_ROWS;
/// Elements of a cache line.
const LINE: usize = 16;
/// Products that a result sums at a time: a panel of them is 16 KiB, half of the L1 cache.
pub const INNER_BLOCK: usize = 256;

/// Elements of a packed matrix from which on it is fetched ahead: smaller ones are still in the
/// second-level cache.
const FETCHED_AHEAD: usize = 128 * 1024;

/// A strided matrix that starts at the first element of `values`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    /// The elements.
    pub(crate) values: &'a [f32],
    /// Elements between two rows.
    pub(crate) row_stride: usize,
    /// Elements between two columns.
    pub(crate) col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `stride` elements each.
    pub(crate) fn rows(values: &'a [f32], stride: usize) -> Self {
        Self { values, row_stride: stride, col_stride: 1 }
    }

    /// The transpose of [`Self::rows`].
    pub(crate) fn columns(values: &'a [f32], stride: usize) -> Self {
        Self { values, row_stride: 1, col_stride: stride }
    }

    fn holds(&self, rows: usize, cols: usize) -> bool {
        rows == 0
            || cols == 0
            || (rows - 1) * self.row_stride + (cols - 1) * self.col_stride < self.values.len()
    }
}

/// A `[k, n]` matrix as `[ceil(n / 16)][k][16]`, the last panel padded with zeros.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panels {
    k: usize,
    n: usize,
    values: Vec<f32>,
}

impl Panels {
    /// Packs the first `k` rows and `n` columns of `source`.
    pub(crate) fn pack(source: Matrix<'_>, k: usize, n: usize) -> Self {
        let mut panels = Self::default();
        panels.repack(source, k, n);
        panels
    }

    /// Panels that were packed elsewhere.
    pub(crate) fn of_values(k: usize, n: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), n.div_ceil(PANEL) * k * PANEL, "whole panels");
        Self { k, n, values }
    }

    /// Packs another matrix into the same memory.
    pub(crate) fn repack(&mut self, source: Matrix<'_>, k: usize, n: usize) {
        assert!(source.holds(k, n), "the matrix is smaller than [{k}, {n}]");
        (self.k, self.n) = (k, n);
        self.values.resize(n.div_ceil(PANEL) * k * PANEL, 0.0);
        if k == 0 {
            return;
        }
        for (j, panel) in self.values.chunks_exact_mut(k * PANEL).enumerate() {
            let width = PANEL.min(n - j * PANEL);
            let from = &source.values[j * PANEL * source.col_stride..];
            if source.col_stride == 1 {
                for (p, row) in panel.chunks_exact_mut(PANEL).enumerate() {
                    row[..width].copy_from_slice(&from[p * source.row_stride..][..width]);
                    row[width..].fill(0.0);
                }
            } else {
                for c in 0..width {
                    let column = from[c * source.col_stride..].iter().step_by(source.row_stride);
                    for (row, v) in panel.chunks_exact_mut(PANEL).zip(column) {
                        row[c] = *v;
                    }
                }
                for row in panel.chunks_exact_mut(PANEL) {
                    row[width..].fill(0.0);
                }
            }
        }
    }

    /// Makes the zeros that fill the last panel columns of the matrix.
    pub(crate) fn fill_panels(&mut self) {
        self.n = self.n.next_multiple_of(PANEL);
    }

    /// Rounds every element to bf16.
    fn round(&mut self) {
        for v in &mut self.values {
            *v = half::bf16::from_f32(*v).to_f32();
        }
    }

    /// Multiplies every element by `factor`.
    pub(crate) fn scale(&mut self, factor: f32) {
        for v in &mut self.values {
            *v *= factor;
        }
    }
}

/// The initial values of the sums.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// One row of `n` elements for all rows: a bias.
    Row(&'a [f32]),
    /// A `[rows, n]` matrix with this many elements between two rows.
    Rows(&'a [f32], usize),
    /// The output's present content.
    Output,
}

/// The operations on the finished sums.
#[derive(Clone, Copy, Default)]
pub(crate) struct Finish<'a> {
    /// Added first: a `[rows, n]` matrix with this many elements between two rows.
    pub(crate) shortcut: Option<(&'a [f32], usize)>,
    /// GELU of the result.
    pub(crate) gelu: bool,
}

/// `out = start + a b`, with `a` of `[rows, k]` and `stride` elements between two rows of `out`.
pub(crate) fn multiply(
    rows: usize,
    a: Matrix<'_>,
    b: &Panels,
    start: Start<'_>,
    out: &mut [f32],
    stride: usize,
) {
    multiply_then(rows, a, b, start, Finish::default(), out, stride);
}

/// [`multiply`], then `finish`.
pub(crate) fn multiply_then(
    rows: usize,
    a: Matrix<'_>,
    b: &Panels,
    start: Start<'_>,
    finish: Finish<'_>,
    out: &mut [f32],
    stride: usize,
) {
    let (k, n) = (b.k, b.n);
    if rows == 0 || n == 0 {
        return;
    }
    assert!(k > 0, "the inner dimension is empty");
    assert!(a.holds(rows, k), "the left matrix is smaller than [{rows}, {k}]");
    let holds = |len: usize, stride: usize| (rows - 1) * stride + n <= len;
    assert!(stride >= n && holds(out.len(), stride), "the output is too small");
    match start {
        Start::Row(row) => assert!(row.len() >= n, "the first row is too short"),
        Start::Rows(values, stride) => assert!(holds(values.len(), stride), "start is too small"),
        Start::Zero | Start::Output => {}
    }
    if let Some((values, stride)) = finish.shortcut {
        assert!(holds(values.len(), stride), "the shortcut is too small");
    }
    vectorize(Multiply { rows, a, b, start, finish, out: out.as_mut_ptr(), stride });
}

/// A product whose operands were checked: `a` holds `[rows, k]` elements; `start`, the shortcut
/// and `out`, with their strides, `[rows, n]`.
struct Multiply<'a> {
    rows: usize,
    a: Matrix<'a>,
    b: &'a Panels,
    start: Start<'a>,
    finish: Finish<'a>,
    out: *mut f32,
    stride: usize,
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (whole, all) = (self.b.n / PANEL, self.b.n.div_ceil(PANEL));
        let (_, max_panels) = largest::<S>();
        for k_start in (0..self.b.k).step_by(INNER_BLOCK) {
            let mut j = 0;
            while j < all {
                let panels = if j + max_panels <= whole { max_panels } else { 1 };
                self.panels(simd, k_start, j, panels);
                j += panels;
            }
        }
    }
}

impl Multiply<'_> {
    /// Panel `j` of what is multiplied from `k_start` on, which may begin behind the last: while the
    /// rows pass some panels, the next ones arrive.
    #[inline(always)]
    fn arriving(&self, k_start: usize, j: usize) -> &[f32] {
        let b = self.b;
        if b.values.len() < FETCHED_AHEAD {
            return &[];
        }
        let n_panels = b.n.div_ceil(PANEL);
        let (k_start, j) = match (j < n_panels, k_start + INNER_BLOCK) {
            (true, _) => (k_start, j),
            (false, below) if below < b.k => (below, j - n_panels),
            (false, _) => return &[],
        };
        let from = (j.min(n_panels - 1) * b.k + k_start) * PANEL;
        &b.values[from..][..INNER_BLOCK.min(b.k - k_start) * PANEL]
    }

    /// The products of one block of the inner dimension with `panels` panels from `j` on.
    #[inline(always)]
    fn panels<S: Simd>(&self, simd: S, k_start: usize, j: usize, panels: usize) {
        let Self { rows, a, b, stride, .. } = *self;
        let k = INNER_BLOCK.min(b.k - k_start);
        let (is_first, is_last) = (k_start == 0, k_start + k == b.k);
        let column = j * PANEL;
        let width = b.n - column;
        let out = self.out.wrapping_add(column);
        let (start, start_stride) = match self.start {
            _ if !is_first => (out.cast_const(), stride),
            Start::Zero => (ZEROS.as_ptr(), 0),
            Start::Row(row) => (row[column..].as_ptr(), 0),
            Start::Rows(rows, stride) => (rows[column..].as_ptr(), stride),
            Start::Output => (out.cast_const(), stride),
        };
        let (shortcut, shortcut_stride) = match self.finish.shortcut {
            Some((rows, stride)) if is_last => (rows[column..].as_ptr(), stride),
            _ => (ptr::null(), 0),
        };
        let mut tile = Tile {
            k,
            a: a.values[k_start * a.col_stride..].as_ptr(),
            row_stride: a.row_stride,
            col_stride: a.col_stride,
            b: b.values[(j * b.k + k_start) * PANEL..].as_ptr(),
            b_panel: b.k * PANEL,
            start,
            start_stride,
            shortcut,
            shortcut_stride,
            gelu: self.finish.gelu && is_last,
            out,
            out_stride: stride,
        };
        let (max_rows, max_panels) = largest::<S>();
        let next = [0, max_panels - 1].map(|i| self.arriving(k_start, j + panels + i));
        let n_tiles = rows.div_ceil(max_rows);
        for (i, height) in tile_heights(rows, max_rows).enumerate() {
            for next in &next[..max_panels] {
                let ahead = next.len().div_ceil(n_tiles * LINE) * LINE;
                let from = (i * ahead).min(next.len());
                prefetch(&next[from..next.len().min(from + ahead)]);
            }
            // SAFETY: the tiles' heights sum to `rows`, `k_start + k <= b.k` and the panels' columns
            // are below `b.n`, so every tile lies inside what `multiply_then` checked.
            unsafe {
                if width >= PANEL {
                    run_tile(simd, height, panels, tile);
                } else {
                    run_narrow_tile(simd, height, width, tile);
                }
            }
            tile.a = tile.a.wrapping_add(height * a.row_stride);
            tile.start = tile.start.wrapping_add(height * start_stride);
            tile.shortcut = tile.shortcut.wrapping_add(height * shortcut_stride);
            tile.out = tile.out.wrapping_add(height * stride);
        }
    }
}

/// Asks for `values` to be brought into the second-level cache.
#[inline(always)]
fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks_exact(LINE) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, and every x86-64 processor has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Heights of the tiles that cover `rows`, at most `max` each: as few as possible, of nearly one
/// height, since a tile of few rows takes as long as one of four.
#[inline(always)]
fn tile_heights(rows: usize, max: usize) -> impl Iterator<Item = usize> {
    let n_tiles = rows.div_ceil(max);
    let (height, n_higher) = (rows / n_tiles, rows % n_tiles);
    (0..n_tiles).map(move |i| height + usize::from(i < n_higher))
}

/// The initial zeros of the widest tile.
static ZEROS: [f32; 2 * PANEL] = [0.0; 2 * PANEL];

#[cfg(test)]
mod tests;
