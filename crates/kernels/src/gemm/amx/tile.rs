//! Operands of tiles: rounding to bf16 and packing.

use std::arch::x86_64::*;
use std::mem::transmute;

use crate::gemm::Matrix;

/// Rows of a tile, and pairs of elements in a row.
pub(super) const SIDE: usize = 16;
/// Elements of a row of a tile: products of a step.
const DEPTH: usize = 32;
/// A tile in memory, `[16][32]` numbers in bf16.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Tile([u16; SIDE * DEPTH]);

const EMPTY: Tile = Tile([0; SIDE * DEPTH]);

/// An operand in tiles, `[ceil(lines / 16)][ceil(k / 32)]`, padded with zeros; lines are rows of a
/// left operand and columns of a right one.
#[derive(Default)]
pub(crate) struct Tiles {
    pub(super) k: usize,
    pub(super) lines: usize,
    tiles: Vec<Tile>,
}

impl Tiles {
    pub(super) fn steps(&self) -> usize {
        self.k.div_ceil(DEPTH)
    }

    /// The tiles of 16 lines.
    pub(super) fn strip(&self, index: usize) -> *const Tile {
        self.tiles[index * self.steps()..][..self.steps()].as_ptr()
    }

    /// The `[k, n]` matrix `source` as a right operand.
    pub(crate) fn right(source: Matrix<'_>, k: usize, n: usize) -> Self {
        assert!(source.holds(k, n), "the matrix is smaller than [{k}, {n}]");
        let mut tiles = Self::default();
        if source.col_stride == 1 {
            tiles.pack_down(source.values, source.row_stride, [k, n], false);
        } else if source.row_stride == 1 {
            tiles.pack_along(source.values, source.col_stride, [n, k], true);
        } else {
            let at = |i: usize| i / n * source.row_stride + i % n * source.col_stride;
            let rows: Vec<f32> = (0..k * n).map(|i| source.values[at(i)]).collect();
            tiles.pack_down(&rows, n, [k, n], false);
        }
        tiles
    }

    /// Packs rows of `stride` elements, of which each holds a line's `k` elements side by side: a
    /// left operand, or, `transposed`, a right one.
    pub(super) fn pack_along(
        &mut self,
        values: &[f32],
        stride: usize,
        [lines, k]: [usize; 2],
        transposed: bool,
    ) {
        assert!(Matrix::rows(values, stride).holds(lines, k));
        (self.k, self.lines) = (k, lines);
        let steps = self.steps();
        self.tiles.resize(lines.div_ceil(SIDE) * steps, EMPTY);
        for (i, tile) in self.tiles.iter_mut().enumerate() {
            let (line, p) = (i / steps * SIDE, i % steps * DEPTH);
            let from = values[line * stride + p..].as_ptr();
            let (rows, columns) = (SIDE.min(lines - line), DEPTH.min(k - p));
            // SAFETY: who packs tiles has found that they are available, which implies the features
            // that are used; `rows` of `columns` elements lie at `from`, as was checked.
            unsafe { convert_rows(from, stride, rows, columns, transposed, tile) };
        }
    }

    /// Packs rows of `stride` elements, of which each holds one element of every line: a right
    /// operand, or, `transposed`, a left one.
    pub(super) fn pack_down(
        &mut self,
        values: &[f32],
        stride: usize,
        [k, lines]: [usize; 2],
        transposed: bool,
    ) {
        assert!(Matrix::rows(values, stride).holds(k, lines));
        (self.k, self.lines) = (k, lines);
        let steps = self.steps();
        self.tiles.resize(lines.div_ceil(SIDE) * steps, EMPTY);
        for (i, tile) in self.tiles.iter_mut().enumerate() {
            let (line, p) = (i / steps * SIDE, i % steps * DEPTH);
            let from = values[p * stride + line..].as_ptr();
            let (rows, columns) = (DEPTH.min(k - p), SIDE.min(lines - line));
            // SAFETY: as above.
            unsafe { convert_pairs(from, stride, rows, columns, transposed, tile) };
        }
    }
}

/// Bits of the first `n` of 16 elements.
fn first(n: usize) -> __mmask16 {
    ((1u32 << n.min(16)) - 1) as u16
}

/// Rounds 16 rows of 32 elements, of which those outside of `[rows, columns]` are zeros.
///
/// # Safety
/// `rows` rows of `columns` elements lie at `from`, `stride` apart.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn convert_rows(
    from: *const f32,
    stride: usize,
    rows: usize,
    columns: usize,
    transposed: bool,
    tile: &mut Tile,
) {
    let masks = [first(columns), first(columns.saturating_sub(16))];
    let mut pairs = [_mm512_setzero_si512(); SIDE];
    for (r, pair) in pairs.iter_mut().enumerate().take(rows) {
        let row = from.wrapping_add(r * stride);
        // SAFETY: what a mask leaves out is not read, the rest is the caller's promise; both types
        // are 64 bytes.
        *pair = unsafe {
            let low = _mm512_maskz_loadu_ps(masks[0], row);
            let high = _mm512_maskz_loadu_ps(masks[1], row.wrapping_add(16));
            transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
        };
    }
    store(pairs, transposed, tile);
}

/// Rounds 32 rows of 16 elements, of which those outside of `[rows, columns]` are zeros, and lays
/// the elements of two rows side by side.
///
/// # Safety
/// As [`convert_rows`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn convert_pairs(
    from: *const f32,
    stride: usize,
    rows: usize,
    columns: usize,
    transposed: bool,
    tile: &mut Tile,
) {
    let mask = first(columns);
    let side_by_side = {
        let mut order = [0u16; DEPTH];
        for (i, place) in order.iter_mut().enumerate() {
            *place = (i / 2 + i % 2 * 16) as u16;
        }
        // SAFETY: both are 64 bytes without padding.
        unsafe { transmute::<[u16; DEPTH], __m512i>(order) }
    };
    let load = |row: usize| {
        let mask = if row < rows { mask } else { 0 };
        // SAFETY: what a mask leaves out is not read; the rest is the caller's promise.
        unsafe { _mm512_maskz_loadu_ps(mask, from.wrapping_add(row * stride)) }
    };
    let mut pairs = [_mm512_setzero_si512(); SIDE];
    for (p, pair) in pairs.iter_mut().enumerate() {
        let both = _mm512_cvtne2ps_pbh(load(2 * p + 1), load(2 * p));
        // SAFETY: both types are 64 bytes.
        let both = unsafe { transmute::<__m512bh, __m512i>(both) };
        *pair = _mm512_permutexvar_epi16(side_by_side, both);
    }
    store(pairs, transposed, tile);
}

/// Writes 16 rows of pairs, or the columns of that square.
#[target_feature(enable = "avx512f")]
fn store(pairs: [__m512i; SIDE], transposed: bool, tile: &mut Tile) {
    let rows = if transposed { transpose(pairs) } else { pairs };
    for (row, to) in rows.iter().zip(tile.0.chunks_exact_mut(DEPTH)) {
        // SAFETY: a row of the tile takes 64 bytes.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), *row) };
    }
}

/// The transpose of 16 x 16 pairs: within squares of 4 by interleaving, then of the squares.
#[target_feature(enable = "avx512f")]
fn transpose(rows: [__m512i; SIDE]) -> [__m512i; SIDE] {
    let zero = _mm512_setzero_si512();
    let mut pairs = [zero; SIDE];
    for i in 0..SIDE / 2 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // Quarter `q` of `fours[4 * s + c]` is column `4 * q + c` of the rows from `4 * s` on.
    let mut fours = [zero; SIDE];
    for s in 0..4 {
        let from = &pairs[4 * s..][..4];
        fours[4 * s] = _mm512_unpacklo_epi64(from[0], from[2]);
        fours[4 * s + 1] = _mm512_unpackhi_epi64(from[0], from[2]);
        fours[4 * s + 2] = _mm512_unpacklo_epi64(from[1], from[3]);
        fours[4 * s + 3] = _mm512_unpackhi_epi64(from[1], from[3]);
    }
    let mut columns = [zero; SIDE];
    for c in 0..4 {
        let [first, second] = [[fours[c], fours[4 + c]], [fours[8 + c], fours[12 + c]]];
        let even = [first, second].map(|[a, b]| _mm512_shuffle_i32x4::<0x88>(a, b));
        let odd = [first, second].map(|[a, b]| _mm512_shuffle_i32x4::<0xdd>(a, b));
        columns[c] = _mm512_shuffle_i32x4::<0x88>(even[0], even[1]);
        columns[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even[0], even[1]);
        columns[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd[0], odd[1]);
        columns[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd[0], odd[1]);
    }
    columns
}
