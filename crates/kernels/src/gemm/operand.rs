//! The right operand of a product in the precision of its products.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

#[cfg(target_arch = "x86_64")]
use super::amx;
use super::{Matrix, Panels, Start, multiply, outer};

/// Numbers that the products of linear layers and 3x3 convolutions over all channels are made of; sums are
/// always `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Products {
    /// Single precision.
    #[default]
    F32,
    /// Both operands are rounded to bfloat16, to the nearest, ties to even: three times as many
    /// pictures a second where the processor has AMX, and the same rounding without gain elsewhere.
    /// Weights and activations stay `f32` (Micikevicius et al. 2018, arXiv 1710.03740;
    /// Kalamkar et al. 2019, arXiv 1905.12322).
    Bf16,
}

thread_local! {
    static PRODUCTS: Cell<Products> = const { Cell::new(Products::F32) };
}

/// Runs `f`, in which linear layers and 3x3 convolutions over all channels that this thread calls take their
/// products in `products`, and their gradients later as well, wherever those are computed.
///
/// Work of `f` on other threads is not affected.
pub fn with_products<R>(products: Products, f: impl FnOnce() -> R) -> R {
    /// Puts back what was before, also when `f` panics.
    struct Restore(Products);
    impl Drop for Restore {
        fn drop(&mut self) {
            PRODUCTS.set(self.0);
        }
    }
    let _restore = Restore(PRODUCTS.replace(products));
    f()
}

/// The products of the innermost [`with_products`].
pub(crate) fn products() -> Products {
    PRODUCTS.get()
}

/// A `[k, n]` matrix, packed for [`Operand::multiply`].
pub(crate) enum Operand {
    Single(Panels),
    /// Rounded to bf16, in `f32`.
    Rounded(Panels),
    #[cfg(target_arch = "x86_64")]
    Tiles(amx::Tiles),
}

impl Operand {
    pub(crate) fn pack(products: Products, source: Matrix<'_>, k: usize, n: usize) -> Self {
        match products {
            Products::F32 => Self::Single(Panels::pack(source, k, n)),
            #[cfg(target_arch = "x86_64")]
            Products::Bf16 if amx::is_available() => Self::Tiles(amx::Tiles::right(source, k, n)),
            Products::Bf16 => {
                let mut panels = Panels::pack(source, k, n);
                panels.round();
                Self::Rounded(panels)
            }
        }
    }

    /// `out = start + a self` with `a` of `[rows, k]`; `stride` elements lie between two rows of
    /// `out`.
    pub(crate) fn multiply(
        &self,
        rows: usize,
        a: &[f32],
        start: Start<'_>,
        out: &mut [f32],
        stride: usize,
    ) {
        match self {
            Self::Single(panels) => {
                multiply(rows, Matrix::rows(a, panels.k), panels, start, out, stride);
            }
            Self::Rounded(panels) => {
                let a = rounded(a);
                multiply(rows, Matrix::rows(&a, panels.k), panels, start, out, stride);
            }
            #[cfg(target_arch = "x86_64")]
            Self::Tiles(tiles) => amx::multiply(rows, a, tiles, start, out, stride),
        }
    }
}

/// Packed operands of a sum of outer products, kept from call to call.
pub(crate) enum Outer {
    Single(outer::OuterWorkspace),
    /// Rounded to bf16, in `f32`.
    Rounded(outer::OuterWorkspace),
    #[cfg(target_arch = "x86_64")]
    Tiles(amx::OuterTiles),
}

impl Outer {
    pub(crate) fn new(products: Products) -> Self {
        match products {
            Products::F32 => Self::Single(outer::OuterWorkspace::default()),
            #[cfg(target_arch = "x86_64")]
            Products::Bf16 if amx::is_available() => Self::Tiles(amx::OuterTiles::default()),
            Products::Bf16 => Self::Rounded(outer::OuterWorkspace::default()),
        }
    }

    /// `out += leftᵀ right`, as [`accumulate_outer`](outer::accumulate_outer).
    pub(crate) fn accumulate(
        &mut self,
        left: &[f32],
        right: &[f32],
        height: usize,
        width: usize,
        out: &mut [f32],
    ) {
        match self {
            Self::Single(workspace) => {
                outer::accumulate_outer(left, right, height, width, workspace, out);
            }
            Self::Rounded(workspace) => {
                let (left, right) = (rounded(left), rounded(right));
                outer::accumulate_outer(&left, &right, height, width, workspace, out);
            }
            #[cfg(target_arch = "x86_64")]
            Self::Tiles(workspace) => {
                amx::accumulate_outer(left, right, height, width, workspace, out);
            }
        }
    }
}

pub(super) fn rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&v| half::bf16::from_f32(v).to_f32()).collect()
}
