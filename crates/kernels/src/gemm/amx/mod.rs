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

mod block;
mod tile;

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::cell::RefCell;
use std::sync::OnceLock;

use self::block::Block;
use self::tile::SIDE;
pub(crate) use self::tile::Tiles;
use super::Start;

/// Rows whose outer products are summed at a time: packed, both operands stay in the L2 cache.
const OUTER_BLOCK: usize = 384;

/// The initial sums of a whole tile that starts from nothing.
#[repr(C, align(64))]
struct Zeros([f32; 2 * SIDE]);

static ZEROS: Zeros = Zeros([0.0; 2 * SIDE]);

/// The operand of `ldtilecfg`: all eight tiles of 16 rows of 64 bytes.
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
