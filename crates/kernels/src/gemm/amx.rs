//! Products of bf16 matrices by the tile registers of AMX: 16 x 16 sums in f32 of 32 products each
//! in one instruction.
//!
//! A tile of a left operand holds 16 rows of 32 neighboring elements. A tile of a right operand
//! holds 32 rows of 16 elements, with the elements of two rows side by side. One is the transpose
//! of the other in units of such pairs, which is how matrices that lie the other way are packed.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, chapter "Programming with
//! Intel AMX". The intrinsics are not stable in Rust, so that the tile instructions are written as
//! assembly.

use std::arch::asm;
use std::arch::x86_64::*;
use std::cell::RefCell;
use std::mem::transmute;
use std::sync::OnceLock;

use super::{Matrix, Start};

/// Rows of a tile, and pairs of elements in a row.
const SIDE: usize = 16;
/// Elements of a row of a tile: products of a step.
const DEPTH: usize = 32;
/// Bytes of a row of a tile.
const ROW_BYTES: usize = 64;
/// Rows whose outer products are summed at a time: packed, both operands stay in the L2 cache.
const OUTER_BLOCK: usize = 384;

/// A tile in memory, `[16][32]` numbers in bf16.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Tile([u16; SIDE * DEPTH]);

const EMPTY: Tile = Tile([0; SIDE * DEPTH]);

/// What the sums of a whole tile start from where they start from nothing.
#[repr(C, align(64))]
struct Zeros([f32; 2 * SIDE]);

static ZEROS: Zeros = Zeros([0.0; 2 * SIDE]);

/// What `ldtilecfg` reads: all eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Whether this process may use bf16 tiles. The first call asks the kernel for them.
pub(super) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        // Leaf 7, EDX: bit 22 is AMX-BF16 and bit 24 AMX-TILE.
        let wanted = 1 << 22 | 1 << 24;
        __cpuid(0).eax >= 7
            && __cpuid_count(7, 0).edx & wanted == wanted
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16")
            && is_permitted()
    })
}

/// Asks Linux to let this process use the tile registers; other systems are not asked.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    /// `arch_prctl`.
    const SYS_ARCH_PRCTL: i64 = 158;
    /// `ARCH_REQ_XCOMP_PERM`.
    const REQUEST: i64 = 0x1023;
    /// `XFEATURE_XTILEDATA`.
    const TILE_DATA: i64 = 18;
    let result: i64;
    // SAFETY: the system call takes two numbers and touches no memory of this process.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") SYS_ARCH_PRCTL => result,
            in("rdi") REQUEST,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// An operand in tiles, `[ceil(lines / 16)][ceil(k / 32)]`, padded with zeros; lines are rows of a
/// left operand and columns of a right one.
#[derive(Default)]
pub(crate) struct Tiles {
    k: usize,
    lines: usize,
    tiles: Vec<Tile>,
}

impl Tiles {
    fn steps(&self) -> usize {
        self.k.div_ceil(DEPTH)
    }

    /// The tiles of 16 lines.
    fn strip(&self, index: usize) -> *const Tile {
        self.tiles[index * self.steps()..][..self.steps()].as_ptr()
    }

    /// The `[k, n]` matrix `source` as a right operand.
    pub(super) fn right(source: Matrix<'_>, k: usize, n: usize) -> Self {
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
    fn pack_along(
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
    fn pack_down(
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

thread_local! {
    /// The left operand of [`multiply`], kept from call to call.
    static LEFT: RefCell<Tiles> = RefCell::default();
}

/// `out = start + a right` with rows of `k` elements in `a`, `stride` elements between two rows of
/// `out`.
pub(super) fn multiply(
    rows: usize,
    a: &[f32],
    right: &Tiles,
    start: Start<'_>,
    out: &mut [f32],
    stride: usize,
) {
    LEFT.with_borrow_mut(|left| {
        left.pack_along(a, right.k, [rows, right.k], false);
        sum(left, right, start, out, stride);
    });
}

/// Packed operands of [`accumulate_outer`], kept from call to call.
#[derive(Default)]
pub(crate) struct OuterTiles {
    left: Tiles,
    right: Tiles,
}

/// `out += leftᵀ right` with `left` of `[rows, height]`, `right` of `[rows, width]`.
pub(super) fn accumulate_outer(
    left: &[f32],
    right: &[f32],
    height: usize,
    width: usize,
    workspace: &mut OuterTiles,
    out: &mut [f32],
) {
    let blocks = left.chunks(OUTER_BLOCK * height).zip(right.chunks(OUTER_BLOCK * width));
    for (left, right) in blocks {
        let rows = left.len() / height;
        workspace.left.pack_down(left, height, [rows, height], true);
        workspace.right.pack_down(right, width, [rows, width], false);
        sum(&workspace.left, &workspace.right, Start::Output, out, width);
    }
}

/// `out = start + left right`, all lines of both.
fn sum(left: &Tiles, right: &Tiles, start: Start<'_>, out: &mut [f32], stride: usize) {
    assert_eq!(left.k, right.k, "one inner dimension");
    let (rows, n) = (left.lines, right.lines);
    if rows == 0 || n == 0 {
        return;
    }
    let holds = |len: usize, stride: usize| (rows - 1) * stride + n <= len;
    assert!(stride >= n && holds(out.len(), stride), "the output is too small");
    let out = out.as_mut_ptr();
    let (from, from_stride) = match start {
        Start::Zero => (ZEROS.0.as_ptr(), 0),
        Start::Row(row) => {
            assert!(row.len() >= n, "the first row is too short");
            (row.as_ptr(), 0)
        }
        Start::Rows(values, stride) => {
            assert!(holds(values.len(), stride), "start is too small");
            (values.as_ptr(), stride)
        }
        Start::Output => (out.cast_const(), stride),
    };
    let is_zero = matches!(start, Start::Zero);
    // SAFETY: operands exist only where tiles are available. No function is called between here and
    // `tilerelease` that uses tiles itself.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) };
    let (whole_rows, whole_columns) = (rows / SIDE, n / SIDE);
    let mut j = 0;
    while j < n.div_ceil(SIDE) {
        let wide = if j + 2 <= whole_columns { 2 } else { 1 };
        let column = j * SIDE;
        let mut i = 0;
        while i < rows.div_ceil(SIDE) {
            let high = if i + 2 <= whole_rows && j < whole_columns { 2 } else { 1 };
            let row = i * SIDE;
            let block = Block {
                left: [left.strip(i), left.strip((i + 1).min(left.lines.div_ceil(SIDE) - 1))],
                right: [right.strip(j), right.strip(j + wide - 1)],
                steps: left.steps(),
                start: from.wrapping_add(row * from_stride + if is_zero { 0 } else { column }),
                start_stride: from_stride,
                out: out.wrapping_add(row * stride + column),
                out_stride: stride,
            };
            let [height, width] = [SIDE.min(rows - row), SIDE.min(n - column)];
            // SAFETY: the tiles of the block lie inside of what was checked above; a block with less
            // than a whole tile in either direction is one tile that is summed elsewhere.
            unsafe {
                match (high, wide) {
                    (2, 2) => block.sum_2x2(),
                    (2, _) => block.sum_2x1(),
                    (_, 2) if height == SIDE => block.sum_1x2(),
                    (_, 2) => {
                        block.sum_part(height, SIDE);
                        block.right_half(is_zero).sum_part(height, SIDE);
                    }
                    _ => block.sum_part(height, width),
                }
            }
            i += high;
        }
        j += wide;
    }
    // SAFETY: it ends what `ldtilecfg` began.
    unsafe { asm!("tilerelease", options(nomem, nostack)) };
}

/// Up to 2 x 2 tiles of sums: strips of tiles of both operands, and where sums come from and go to.
#[derive(Clone, Copy)]
struct Block {
    left: [*const Tile; 2],
    right: [*const Tile; 2],
    steps: usize,
    start: *const f32,
    start_stride: usize,
    out: *mut f32,
    out_stride: usize,
}

/// A kernel of the tiles named: loads the sums, adds `steps` products, stores the sums. Sums live
/// in tiles 0 to 3, left operands in 4 and 5, right ones in 6 and 7.
macro_rules! kernel {
    ($(#[$meta:meta])* $name:ident, $load:literal, $step:literal, $store:literal) => {
        $(#[$meta])*
        unsafe fn $name(self) {
            let bytes = |elements: usize| elements * size_of::<f32>();
            // SAFETY: the caller promises that all tiles lie in their allocations.
            unsafe {
                asm!(
                    $load,
                    "# {s1} {o1}",
                    "2:",
                    $step,
                    "add {a0}, 1024",
                    "add {a1}, 1024",
                    "add {b0}, 1024",
                    "add {b1}, 1024",
                    "dec {n}",
                    "jnz 2b",
                    $store,
                    a0 = inout(reg) self.left[0] => _,
                    a1 = inout(reg) self.left[1] => _,
                    b0 = inout(reg) self.right[0] => _,
                    b1 = inout(reg) self.right[1] => _,
                    n = inout(reg) self.steps => _,
                    row = in(reg) ROW_BYTES,
                    s0 = in(reg) self.start,
                    s1 = in(reg) self.start.wrapping_add(SIDE * self.start_stride),
                    ss = in(reg) bytes(self.start_stride),
                    o0 = in(reg) self.out,
                    o1 = in(reg) self.out.wrapping_add(SIDE * self.out_stride),
                    os = in(reg) bytes(self.out_stride),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

impl Block {
    kernel! {
        /// Two tiles of rows by two of columns.
        ///
        /// # Safety
        /// 32 rows of 32 elements lie at `start` and `out`.
        sum_2x2,
        "tileloadd tmm0, [{s0} + {ss}]
        tileloadd tmm1, [{s0} + {ss} + 64]
        tileloadd tmm2, [{s1} + {ss}]
        tileloadd tmm3, [{s1} + {ss} + 64]",
        "tileloadd tmm4, [{a0} + {row}]
        tileloadd tmm6, [{b0} + {row}]
        tileloadd tmm7, [{b1} + {row}]
        tileloadd tmm5, [{a1} + {row}]
        tdpbf16ps tmm0, tmm4, tmm6
        tdpbf16ps tmm1, tmm4, tmm7
        tdpbf16ps tmm2, tmm5, tmm6
        tdpbf16ps tmm3, tmm5, tmm7",
        "tilestored [{o0} + {os}], tmm0
        tilestored [{o0} + {os} + 64], tmm1
        tilestored [{o1} + {os}], tmm2
        tilestored [{o1} + {os} + 64], tmm3"
    }

    kernel! {
        /// Two tiles of rows by one of columns.
        ///
        /// # Safety
        /// 32 rows of 16 elements lie at `start` and `out`.
        sum_2x1,
        "tileloadd tmm0, [{s0} + {ss}]
        tileloadd tmm2, [{s1} + {ss}]",
        "tileloadd tmm4, [{a0} + {row}]
        tileloadd tmm6, [{b0} + {row}]
        tileloadd tmm5, [{a1} + {row}]
        tdpbf16ps tmm0, tmm4, tmm6
        tdpbf16ps tmm2, tmm5, tmm6",
        "tilestored [{o0} + {os}], tmm0
        tilestored [{o1} + {os}], tmm2"
    }

    kernel! {
        /// One tile of rows by two of columns.
        ///
        /// # Safety
        /// 16 rows of 32 elements lie at `start` and `out`.
        sum_1x2,
        "tileloadd tmm0, [{s0} + {ss}]
        tileloadd tmm1, [{s0} + {ss} + 64]",
        "tileloadd tmm4, [{a0} + {row}]
        tileloadd tmm6, [{b0} + {row}]
        tileloadd tmm7, [{b1} + {row}]
        tdpbf16ps tmm0, tmm4, tmm6
        tdpbf16ps tmm1, tmm4, tmm7",
        "tilestored [{o0} + {os}], tmm0
        tilestored [{o0} + {os} + 64], tmm1"
    }

    kernel! {
        /// One tile.
        ///
        /// # Safety
        /// 16 rows of 16 elements lie at `start` and `out`.
        sum_1x1,
        "tileloadd tmm0, [{s0} + {ss}]",
        "tileloadd tmm4, [{a0} + {row}]
        tileloadd tmm6, [{b0} + {row}]
        tdpbf16ps tmm0, tmm4, tmm6",
        "tilestored [{o0} + {os}], tmm0"
    }

    /// The second of two tiles of columns.
    fn right_half(self, starts_from_zero: bool) -> Self {
        Self {
            right: [self.right[1]; 2],
            start: self.start.wrapping_add(if starts_from_zero { 0 } else { SIDE }),
            out: self.out.wrapping_add(SIDE),
            ..self
        }
    }

    /// One tile, of which `height` rows of `width` elements exist outside.
    ///
    /// # Safety
    /// `height` rows of `width` elements lie at `start` and `out`.
    unsafe fn sum_part(self, height: usize, width: usize) {
        let mut tile = [[0f32; SIDE]; SIDE];
        // SAFETY: the caller's promise; the tile between is whole.
        unsafe {
            for (r, row) in tile.iter_mut().enumerate().take(height) {
                let start = self.start.wrapping_add(r * self.start_stride);
                row[..width].copy_from_slice(std::slice::from_raw_parts(start, width));
            }
            let (start, out) = (tile.as_ptr().cast(), tile.as_mut_ptr().cast());
            let whole = Self { start, start_stride: SIDE, out, out_stride: SIDE, ..self };
            whole.sum_1x1();
            for (r, row) in tile.iter().enumerate().take(height) {
                let out = self.out.wrapping_add(r * self.out_stride);
                std::slice::from_raw_parts_mut(out, width).copy_from_slice(&row[..width]);
            }
        }
    }
}
