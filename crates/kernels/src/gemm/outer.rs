//! Sums of outer products: the gradient of a weight.

use std::ptr;

use pulp::{Simd, WithSimd};

use super::tile::{Tile, largest, run_narrow_tile, run_tile};
use super::{Matrix, PANEL, Panels, tile_heights};
use crate::simd::vectorize;

/// Rows of a block of outer products: a panel of either operand takes 12 KiB of the L1 cache.
const OUTER_BLOCK: usize = 192;

/// Packed operands of [`accumulate_outer`], kept from call to call.
#[derive(Default)]
pub(crate) struct OuterWorkspace {
    left: Panels,
    right: Panels,
}

/// `out += leftᵀ right` with `left` of `[rows, height]`, `right` of `[rows, width]`, `out` of
/// `[height, width]`.
pub(crate) fn accumulate_outer(
    left: &[f32],
    right: &[f32],
    height: usize,
    width: usize,
    workspace: &mut OuterWorkspace,
    out: &mut [f32],
) {
    let rows = left.len() / height;
    assert!(left.len() == rows * height && right.len() == rows * width, "unequal rows");
    assert_eq!(out.len(), height * width, "the output is [height, width]");
    let OuterWorkspace { left: left_panels, right: right_panels } = workspace;
    let blocks = left.chunks(OUTER_BLOCK * height).zip(right.chunks(OUTER_BLOCK * width));
    for (left, right) in blocks {
        let rows = left.len() / height;
        left_panels.repack(Matrix::rows(left, height), rows, height);
        right_panels.repack(Matrix::rows(right, width), rows, width);
        let out = out.as_mut_ptr();
        vectorize(Outer { left: left_panels, right: right_panels, out });
    }
}

/// A sum of outer products, of packed operands with equally many rows; `out` holds one element for
/// each pair of their columns.
struct Outer<'a> {
    left: &'a Panels,
    right: &'a Panels,
    out: *mut f32,
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { left, right, out } = self;
        let (k, height, width) = (left.k, left.n, right.n);
        let (max_rows, max_panels) = largest::<S>();
        let panel = k * PANEL;
        let mut column = 0;
        while column < width {
            let panels = if column + max_panels * PANEL <= width { max_panels } else { 1 };
            for (i, a) in left.values.chunks_exact(panel).enumerate() {
                let out = out.wrapping_add(i * PANEL * width + column);
                let mut tile = Tile {
                    k,
                    a: a.as_ptr(),
                    row_stride: 1,
                    col_stride: PANEL,
                    b: right.values[column * k..].as_ptr(),
                    b_panel: panel,
                    start: out,
                    start_stride: width,
                    shortcut: ptr::null(),
                    shortcut_stride: 0,
                    gelu: false,
                    out,
                    out_stride: width,
                };
                for rows in tile_heights(PANEL.min(height - i * PANEL), max_rows) {
                    // SAFETY: the tiles' rows are those of the left panel, below `height`, and the
                    // columns those from `column` below `width`.
                    unsafe {
                        if column + PANEL <= width {
                            run_tile(simd, rows, panels, tile);
                        } else {
                            run_narrow_tile(simd, rows, width - column, tile);
                        }
                    }
                    tile.a = tile.a.wrapping_add(rows);
                    tile.out = tile.out.wrapping_add(rows * width);
                    tile.start = tile.out;
                }
            }
            column += panels * PANEL;
        }
    }
}
