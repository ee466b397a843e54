//! Matrix multiplication with the right-hand side packed in panels of 16 columns.
//!
//! A tile of 6 x 16 results lives in registers while it sums over a block of the inner dimension.
//! Sums run in one order whatever the number of threads: callers split rows, never the sum.

mod tile;

use self::tile::{Plain, Tile, TileKernel, run_narrow_tile, run_tile};
use crate::simd;

/// Columns of a panel: two AVX registers.
const PANEL: usize = 16;
/// Rows of a tile: 6 x 2 accumulators leave 4 of 16 registers for operands.
pub(crate) const TILE_ROWS: usize = 6;
/// Inner dimension of a block: a panel of it is 16 KiB, half of the L1 cache.
const INNER_BLOCK: usize = 256;

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
#[derive(Default)]
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

    /// Multiplies every element by `factor`.
    pub(crate) fn scale(&mut self, factor: f32) {
        for v in &mut self.values {
            *v *= factor;
        }
    }
}

/// What the sums start from.
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

/// `out = start + a b`, with `a` of `[rows, k]` and `stride` elements between two rows of `out`.
pub(crate) fn multiply(
    rows: usize,
    a: Matrix<'_>,
    b: &Panels,
    start: Start<'_>,
    out: &mut [f32],
    stride: usize,
) {
    let (k, n) = (b.k, b.n);
    if rows == 0 || n == 0 {
        return;
    }
    assert!(k > 0, "the inner dimension is empty");
    assert!(a.holds(rows, k), "the left matrix is smaller than [{rows}, {k}]");
    assert!(stride >= n && (rows - 1) * stride + n <= out.len(), "the output is too small");
    match start {
        Start::Row(row) => assert!(row.len() >= n, "the first row is too short"),
        Start::Rows(values, stride) => {
            assert!((rows - 1) * stride + n <= values.len(), "the start is too small");
        }
        Start::Zero | Start::Output => {}
    }
    #[cfg(target_arch = "x86_64")]
    if simd::has_avx2() {
        // SAFETY: the bounds were checked above, the processor's features just now.
        unsafe { multiply_avx2(rows, a, b, start, out.as_mut_ptr(), stride) };
        return;
    }
    // SAFETY: the bounds were checked above.
    unsafe { multiply_tiles::<Plain>(rows, a, b, start, out.as_mut_ptr(), stride) };
}

/// `out += leftᵀ right` with `left` of `[rows, height]`, `right` of `[rows, width]`, `out` of
/// `[height, width]`.
pub(crate) fn accumulate_outer(
    left: &[f32],
    right: &[f32],
    height: usize,
    width: usize,
    out: &mut [f32],
) {
    let rows = left.len() / height;
    assert!(left.len() == rows * height && right.len() == rows * width, "unequal rows");
    assert_eq!(out.len(), height * width, "the output is [height, width]");
    let full = width / PANEL * PANEL;
    #[cfg(target_arch = "x86_64")]
    if simd::has_avx2() {
        // SAFETY: the bounds were checked above, the processor's features just now.
        unsafe { outer_avx2(left, right, height, width, out.as_mut_ptr()) };
    } else {
        // SAFETY: the bounds were checked above.
        unsafe { outer_tiles::<Plain>(left, right, height, width, out.as_mut_ptr()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: the bounds were checked above.
    unsafe {
        outer_tiles::<Plain>(left, right, height, width, out.as_mut_ptr());
    }
    if full < width && rows > 0 {
        let rest = Panels::pack(Matrix::rows(&right[full..], width), rows, width - full);
        multiply(
            height,
            Matrix::columns(left, height),
            &rest,
            Start::Output,
            &mut out[full..],
            width,
        );
    }
}

/// # Safety
/// As [`outer_tiles`], on a processor with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn outer_avx2(left: &[f32], right: &[f32], height: usize, width: usize, out: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { outer_tiles::<simd::Avx2>(left, right, height, width, out) }
}

/// [`accumulate_outer`] for the columns that fill panels, read where they are.
///
/// # Safety
/// The slices hold `[rows, height]` and `[rows, width]` elements, `out` `[height, width]`.
#[inline(always)]
unsafe fn outer_tiles<T: TileKernel>(
    left: &[f32],
    right: &[f32],
    height: usize,
    width: usize,
    out: *mut f32,
) {
    for j in 0..width / PANEL {
        for i in (0..height).step_by(TILE_ROWS) {
            // SAFETY: `i < height` and `(j + 1) * PANEL <= width` keep these inside.
            unsafe {
                let out = out.add(i * width + j * PANEL);
                let tile = Tile {
                    k: left.len() / height,
                    a: left.as_ptr().add(i),
                    row_stride: 1,
                    col_stride: height,
                    b: right.as_ptr().add(j * PANEL),
                    b_stride: width,
                    start: out,
                    start_stride: width,
                    out,
                    out_stride: width,
                };
                run_tile::<T>(TILE_ROWS.min(height - i), tile);
            }
        }
    }
}
/// # Safety
/// As [`multiply_tiles`], on a processor with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_avx2(
    rows: usize,
    a: Matrix<'_>,
    b: &Panels,
    start: Start<'_>,
    out: *mut f32,
    stride: usize,
) {
    // SAFETY: the caller's promise.
    unsafe { multiply_tiles::<simd::Avx2>(rows, a, b, start, out, stride) }
}

/// # Safety
/// `a` holds `[rows, k]` elements, `start` and `out` (with `stride`) `[rows, n]`.
#[inline(always)]
unsafe fn multiply_tiles<T: TileKernel>(
    rows: usize,
    a: Matrix<'_>,
    b: &Panels,
    start: Start<'_>,
    out: *mut f32,
    stride: usize,
) {
    for k_start in (0..b.k).step_by(INNER_BLOCK) {
        let k = INNER_BLOCK.min(b.k - k_start);
        let start = if k_start == 0 { start } else { Start::Output };
        for (j, panel) in b.values.chunks_exact(b.k * PANEL).enumerate() {
            let width = PANEL.min(b.n - j * PANEL);
            for i in (0..rows).step_by(TILE_ROWS) {
                let height = TILE_ROWS.min(rows - i);
                // SAFETY: `i < rows`, `k_start < k` and `j * PANEL < n` keep these inside.
                unsafe {
                    let out = out.add(i * stride + j * PANEL);
                    let (start, start_stride) = match start {
                        Start::Zero => (ZEROS.as_ptr(), 0),
                        Start::Row(row) => (row.as_ptr().add(j * PANEL), 0),
                        Start::Rows(rows, stride) => {
                            (rows.as_ptr().add(i * stride + j * PANEL), stride)
                        }
                        Start::Output => (out.cast_const(), stride),
                    };
                    let tile = Tile {
                        k,
                        a: a.values.as_ptr().add(i * a.row_stride + k_start * a.col_stride),
                        row_stride: a.row_stride,
                        col_stride: a.col_stride,
                        b: panel.as_ptr().add(k_start * PANEL),
                        b_stride: PANEL,
                        start,
                        start_stride,
                        out,
                        out_stride: stride,
                    };
                    if width == PANEL {
                        run_tile::<T>(height, tile);
                    } else {
                        run_narrow_tile::<T>(height, width, tile);
                    }
                }
            }
        }
    }
}

static ZEROS: [f32; PANEL] = [0.0; PANEL];

#[cfg(test)]
mod tests {
    use super::{Matrix, Panels, Start, multiply};

    #[test]
    fn product_agrees_with_the_definition_for_every_tail() {
        for (rows, k, n) in [(1, 1, 1), (7, 5, 17), (13, 300, 16), (6, 3, 33), (11, 257, 40)] {
            let a: Vec<f32> = (0..rows * k).map(|i| (i % 7) as f32 - 3.0).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32 - 2.0).collect();
            let bias: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let panels = Panels::pack(Matrix::rows(&b, n), k, n);
            let mut out = vec![f32::NAN; rows * n];
            multiply(rows, Matrix::rows(&a, k), &panels, Start::Row(&bias), &mut out, n);
            for i in 0..rows {
                for j in 0..n {
                    let sum: f32 = (0..k).map(|p| a[i * k + p] * b[p * n + j]).sum();
                    assert_eq!(out[i * n + j], sum + bias[j], "[{i}, {j}] of {rows} {k} {n}");
                }
            }
        }
    }

    #[test]
    fn transposed_operands_give_the_transposed_product() {
        let (rows, k, n) = (9, 4, 18);
        let a: Vec<f32> = (0..k * rows).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..n * k).map(|i| (i % 5) as f32 - 2.0).collect();
        let panels = Panels::pack(Matrix::columns(&b, k), k, n);
        let mut out = vec![1.0; rows * n];
        multiply(rows, Matrix::columns(&a, rows), &panels, Start::Output, &mut out, n);
        for i in 0..rows {
            for j in 0..n {
                let sum: f32 = (0..k).map(|p| a[p * rows + i] * b[j * k + p]).sum();
                assert_eq!(out[i * n + j], sum + 1.0);
            }
        }
    }
}
