//! Sums of up to 2 x 2 tiles.

use std::arch::asm;

use super::tile::{SIDE, Tile};

/// Bytes of a row of a tile.
const ROW_BYTES: usize = 64;

/// Up to 2 x 2 tiles of sums: strips of tiles of both operands, and where sums come from and go to.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) left: [*const Tile; 2],
    pub(super) right: [*const Tile; 2],
    pub(super) steps: usize,
    pub(super) start: *const f32,
    pub(super) start_stride: usize,
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

/// A kernel of the tiles named: loads the sums, adds `steps` products, stores the sums. Sums live
/// in tiles 0 to 3, left operands in 4 and 5, right ones in 6 and 7.
macro_rules! kernel {
    ($(#[$meta:meta])* $name:ident, $load:literal, $step:literal, $store:literal) => {
        $(#[$meta])*
        // SAFETY: each kernel states what its caller promises.
        pub(super) unsafe fn $name(self) {
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
    pub(super) fn right_half(self, starts_from_zero: bool) -> Self {
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
    pub(super) unsafe fn sum_part(self, height: usize, width: usize) {
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
