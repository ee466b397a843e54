//! The convolutional block: widen, depthwise 3x3, narrow. MBConv adds its input, patch merging
//! halves the map.

use cifake_kernels::packed::{DepthwiseConv3x3, Finish, Linear};

use super::scratch::{Pool, Scratch, first};
use super::spread::Spread;

/// Elements of the wide rows that are made together, about: with the rows around them and what
/// becomes of them they share the L2 cache.
const WIDE_ELEMENTS: usize = 48 << 10;

/// Pointwise and GELU, depthwise 3x3 and GELU, pointwise; with a shortcut and GELU, if it has one.
///
/// It runs by bands of rows: the wide rows of a band are made, read three times by the depthwise
/// convolution, and forgotten.
#[derive(Debug)]
pub(super) struct Inverted {
    pub(super) widen: Linear,
    pub(super) depthwise: DepthwiseConv3x3,
    pub(super) narrow: Linear,
    pub(super) has_shortcut: bool,
}

impl Inverted {
    pub(super) fn d_output(&self) -> usize {
        self.narrow.d_output()
    }

    /// Maps `[batch, side, side, d_input]` to `out`, `[batch, out_side, out_side, d_output]`.
    pub(super) fn run(
        &self,
        x: &[f32],
        side: usize,
        spread: Spread,
        scratch: &Pool<Scratch>,
        out: &mut [f32],
    ) {
        let out_side = side.div_ceil(self.depthwise.stride());
        let (image_len, out_row) = (side * side * self.widen.d_input(), out_side * self.d_output());
        let n_stripes = match spread {
            Spread::Alone => 1,
            Spread::Pool => rayon::current_num_threads().min(out_side),
        };
        let stripe_rows = out_side.div_ceil(n_stripes);
        let images = x.chunks_exact(image_len).zip(out.chunks_exact_mut(out_side * out_row));
        for (image, out) in images {
            spread.for_each(out, stripe_rows * out_row, scratch, |i, out, scratch| {
                self.stripe(image, side, i * stripe_rows, scratch, out);
            });
        }
    }

    /// Rows of the output of one image from `first_row` on, as many as `out` holds.
    fn stripe(
        &self,
        image: &[f32],
        side: usize,
        first_row: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let stride = self.depthwise.stride();
        let out_side = side.div_ceil(stride);
        let (wide_row, out_row) = (side * self.widen.d_output(), out_side * self.d_output());
        let band_rows = (WIDE_ELEMENTS / (wide_row * stride)).clamp(1, out_side);
        let mut wide = Ring::new(&mut scratch.wide, wide_row, band_rows * stride, side);
        let mixed_row = out_side * self.depthwise.channels();
        let mixed = first(&mut scratch.mixed, band_rows * mixed_row);
        for (band, out) in out.chunks_mut(band_rows * out_row).enumerate() {
            let (y, rows) = (first_row + band * band_rows, out.len() / out_row);
            let needed = (y * stride).saturating_sub(1)..((y + rows - 1) * stride + 2).min(side);
            wide.make(needed, |rows, out| {
                let x = &image[rows.start * side * self.widen.d_input()..];
                let x = &x[..rows.len() * side * self.widen.d_input()];
                self.widen.apply(x, Finish::Gelu, out);
            });
            let mixed = &mut mixed[..rows * mixed_row];
            for (i, mixed) in mixed.chunks_exact_mut(mixed_row).enumerate() {
                let center = (y + i) * stride;
                let row = |y: usize| (1..=side).contains(&y).then(|| wide.row(y - 1));
                let around = [row(center), row(center + 1), row(center + 2)];
                self.depthwise.apply_row(around, true, mixed);
            }
            let finish = if self.has_shortcut {
                Finish::AddGelu(&image[y * out_row..][..out.len()])
            } else {
                Finish::Store
            };
            self.narrow.apply(mixed, finish, out);
        }
    }
}

/// The last few rows of a map.
struct Ring<'a> {
    rows: &'a mut [f32],
    row_len: usize,
    capacity: usize,
    /// Slot of row 0.
    origin: usize,
    /// Rows from here on are not made yet.
    next: usize,
}

impl<'a> Ring<'a> {
    /// A ring for bands of `band_rows` new rows and the two before them, of a map of `height`.
    fn new(buffer: &'a mut Vec<f32>, row_len: usize, band_rows: usize, height: usize) -> Self {
        let capacity = (2 * band_rows).clamp(3, height.max(3));
        // The first band makes a row more than its own, the one below it; behind that row those of
        // the next bands lie together.
        let origin = if capacity < height { capacity - 1 } else { 0 };
        Self { rows: first(buffer, capacity * row_len), row_len, capacity, origin, next: 0 }
    }

    /// Makes those of the `needed` rows that it does not hold, as many at a time as lie together.
    fn make(
        &mut self,
        needed: std::ops::Range<usize>,
        make: impl Fn(std::ops::Range<usize>, &mut [f32]),
    ) {
        let mut y = self.next.max(needed.start);
        while y < needed.end {
            let slot = self.slot(y);
            let n = (needed.end - y).min(self.capacity - slot);
            make(y..y + n, &mut self.rows[slot * self.row_len..][..n * self.row_len]);
            y += n;
        }
        self.next = needed.end;
    }

    fn row(&self, y: usize) -> &[f32] {
        &self.rows[self.slot(y) * self.row_len..][..self.row_len]
    }

    fn slot(&self, y: usize) -> usize {
        (y + self.origin) % self.capacity
    }
}
