//! 3x3 convolutions of stride 1 by minimal filtering, F(2x2, 3x3) (Winograd 1980; Lavin and Gray 2016, arXiv
//! 1509.09308).
//!
//! A tile of 4x4 inputs gives 2x2 results. Both are transformed, the filters as well; between them every channel of
//! inputs meets every channel of results in 16 products, where the sum over taps takes 36. All constants are 1 and
//! 1/2, so that results differ from those sums by rounding alone.

use std::borrow::Cow;

use rayon::prelude::*;

use super::geometry::Geometry;
use crate::gemm::{Matrix, PANEL, Panels, Start, multiply};
use crate::simd::{InstructionSet, multiversion};

/// Products of a tile for each pair of channels.
const POINTS: usize = 16;
/// Below that many channels of inputs, the transforms take longer than what they save.
const MIN_CHANNELS: usize = 16;
/// Below that many tiles, the transform of the filters takes longer than what it saves.
const MIN_TILES: usize = 16;
/// Tiles that are transformed at once, about: fewer where channels are many, so that they stay in the L2 cache.
const TILES: [usize; 2] = [48, 96];
/// Values between the ends of a point's matrix and the next: with them, the 16 points of a value lie in different sets
/// of the L1 cache.
const GAP: usize = 16;
/// Transformed values in that cache.
const CACHED: usize = 1 << 18;

/// Whether [`forward`] is meant for such maps.
pub(super) fn is_faster(geometry: Geometry, batch: usize) -> bool {
    let Geometry { height, width, n_in, stride, .. } = geometry;
    let is_even = height.is_multiple_of(2) && width.is_multiple_of(2);
    let n_tiles = batch * (height / 2) * (width / 2);
    is_even && stride == 1 && n_in >= MIN_CHANNELS && n_tiles >= MIN_TILES
}

/// The convolution of `images` with `weight`, `[out, in, 3, 3]`, written to `out`.
pub(super) fn forward(
    images: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    geometry: Geometry,
    out: &mut [f32],
) {
    let Geometry { width, n_in, n_out, .. } = geometry;
    let filters = transformed_filters(weight, n_in, n_out);
    let bias = bias.map_or_else(|| Cow::Owned(vec![0.0; n_out]), Cow::Borrowed);
    let [least, most] = TILES;
    let n_tiles = (CACHED / (POINTS * (n_in + n_out))).clamp(least, most);
    // A row of tiles gives two rows of results, and images are even: rows of tiles follow each other in memory.
    let n_rows = (n_tiles / (width / 2)).max(1);
    out.par_chunks_mut(n_rows * 2 * geometry.out_row_len()).enumerate().for_each_init(
        || [Vec::new(), Vec::new()],
        |[inputs, products], (chunk, out)| {
            let rows = TileRows { geometry, first: chunk * n_rows };
            let n_tiles = out.len() / (4 * n_out);
            inputs.resize(POINTS * point_len(n_tiles, n_in), 0.0);
            products.resize(POINTS * point_len(n_tiles, n_out), 0.0);
            transform_inputs(images, rows, n_tiles, inputs);
            let points = inputs.chunks_exact(point_len(n_tiles, n_in)).zip(&filters);
            let outputs = products.chunks_exact_mut(point_len(n_tiles, n_out));
            for ((inputs, filters), out) in points.zip(outputs) {
                let inputs = Matrix::rows(inputs, n_in);
                multiply(n_tiles, inputs, filters, Start::Zero, out, n_out);
            }
            transform_products(products, &bias, width, out);
        },
    );
}

/// Values of a point: `[n_tiles, width]` and a gap.
fn point_len(n_tiles: usize, width: usize) -> usize {
    n_tiles * width + GAP
}

/// Rows of tiles of a batch from `first` on.
#[derive(Clone, Copy)]
struct TileRows {
    geometry: Geometry,
    first: usize,
}

impl TileRows {
    /// The offsets of the inputs of tile `at`; nothing for those outside of the image.
    #[inline(always)]
    fn inputs(self, at: usize) -> [Option<usize>; POINTS] {
        let Geometry { height, width, n_in, .. } = self.geometry;
        let (row, column) = (self.first + at / (width / 2), at % (width / 2));
        let (image, row) = (row / (height / 2), row % (height / 2));
        let mut places = [None; POINTS];
        for (i, place) in places.iter_mut().enumerate() {
            let (y, x) = ((2 * row + i / 4).wrapping_sub(1), (2 * column + i % 4).wrapping_sub(1));
            if y < height && x < width {
                *place = Some(((image * height + y) * width + x) * n_in);
            }
        }
        places
    }
}

/// `G g Gᵀ` of every filter, a matrix `[in, out]` for each point.
fn transformed_filters(weight: &[f32], n_in: usize, n_out: usize) -> Vec<Panels> {
    let panel_len = n_in * PANEL;
    let n_panels = n_out.div_ceil(PANEL);
    let mut points = vec![vec![0.0; n_panels * panel_len]; POINTS];
    let mut panels: Vec<Vec<&mut [f32]>> = (0..n_panels).map(|_| Vec::new()).collect();
    for point in &mut points {
        for (panel, values) in panels.iter_mut().zip(point.chunks_exact_mut(panel_len)) {
            panel.push(values);
        }
    }
    panels.into_par_iter().enumerate().for_each(|(panel, mut points)| {
        let first = panel * PANEL;
        let filters = &weight[first * n_in * 9..][..(n_out - first).min(PANEL) * n_in * 9];
        transform_filters(filters, n_in, &mut points);
    });
    points.into_iter().map(|values| Panels::of_values(n_in, n_out, values)).collect()
}

multiversion! {
    /// One panel: up to 16 filters of each input.
    fn transform_filters(filters: &[f32], n_in: usize, points: &mut [&mut [f32]]) {
        for input in 0..n_in {
            let mut taps = [[0.0; PANEL]; 9];
            for (lane, filter) in filters.chunks_exact(n_in * 9).enumerate() {
                for (tap, value) in taps.iter_mut().zip(&filter[input * 9..][..9]) {
                    tap[lane] = *value;
                }
            }
            let [a, b, c, d, e, f, g, h, i] = taps;
            let rows = [filter_line::<I>([a, d, g]), filter_line::<I>([b, e, h]), filter_line::<I>([c, f, i])];
            for y in 0..4 {
                let line = filter_line::<I>([rows[0][y], rows[1][y], rows[2][y]]);
                for (x, values) in line.iter().enumerate() {
                    points[y * 4 + x][input * PANEL..][..PANEL].copy_from_slice(values);
                }
            }
        }
    }
}

/// `G` times a column of three.
#[inline(always)]
fn filter_line<I: InstructionSet>([a, b, c]: [[f32; PANEL]; 3]) -> [[f32; PANEL]; 4] {
    let (mut sum, mut difference) = ([0.0; PANEL], [0.0; PANEL]);
    for lane in 0..PANEL {
        let ends = 0.5 * (a[lane] + c[lane]);
        sum[lane] = I::mul_add(0.5, b[lane], ends);
        difference[lane] = I::mul_add(-0.5, b[lane], ends);
    }
    [a, sum, difference, c]
}

multiversion! {
    /// `Bᵀ d B` of every tile, for each point `[tile, channel]`.
    fn transform_inputs(images: &[f32], rows: TileRows, n_tiles: usize, out: &mut [f32]) {
        let n_in = rows.geometry.n_in;
        for tile in 0..n_tiles {
            let places = rows.inputs(tile);
            let mut c = 0;
            while c + PANEL <= n_in {
                transform_input::<PANEL>(images, &places, c, n_in, n_tiles, tile, out);
                c += PANEL;
            }
            while c < n_in {
                transform_input::<1>(images, &places, c, n_in, n_tiles, tile, out);
                c += 1;
            }
        }
    }
}

/// [`transform_inputs`] of a tile and of `N` channels from `c`.
#[inline(always)]
fn transform_input<const N: usize>(
    images: &[f32],
    places: &[Option<usize>; POINTS],
    c: usize,
    n_in: usize,
    n_tiles: usize,
    tile: usize,
    out: &mut [f32],
) {
    let mut rows = [[[0.0; N]; 4]; 4];
    for (y, row) in rows.iter_mut().enumerate() {
        let mut line = [[0.0; N]; 4];
        for (value, place) in line.iter_mut().zip(&places[4 * y..4 * y + 4]) {
            if let Some(place) = place {
                *value = images[place + c..][..N].try_into().expect("N elements");
            }
        }
        *row = input_line::<N>(line);
    }
    for x in 0..4 {
        let line = input_line::<N>(column(&rows, x));
        for (y, values) in line.iter().enumerate() {
            let place = (4 * y + x) * point_len(n_tiles, n_in) + tile * n_in + c;
            out[place..][..N].copy_from_slice(values);
        }
    }
}

/// `Bᵀ` times a column of four.
#[inline(always)]
fn input_line<const N: usize>([a, b, c, d]: [[f32; N]; 4]) -> [[f32; N]; 4] {
    let mut out = [[0.0; N]; 4];
    for lane in 0..N {
        out[0][lane] = a[lane] - c[lane];
        out[1][lane] = b[lane] + c[lane];
        out[2][lane] = c[lane] - b[lane];
        out[3][lane] = b[lane] - d[lane];
    }
    out
}

multiversion! {
    /// `Aᵀ m A` and the bias of every tile, as rows of pixels.
    fn transform_products(products: &[f32], bias: &[f32], width: usize, out: &mut [f32]) {
        let n_out = bias.len();
        let n_tiles = out.len() / (4 * n_out);
        for tile in 0..n_tiles {
            let (row, column) = (tile / (width / 2), tile % (width / 2));
            let place = (2 * row * width + 2 * column) * n_out;
            let mut c = 0;
            while c + PANEL <= n_out {
                transform_product::<PANEL>(products, bias, [n_tiles, tile], c, width, &mut out[place..]);
                c += PANEL;
            }
            while c < n_out {
                transform_product::<1>(products, bias, [n_tiles, tile], c, width, &mut out[place..]);
                c += 1;
            }
        }
    }
}

/// [`transform_products`] of a tile and of `N` channels from `c`; `out` begins with the tile's first pixel.
#[inline(always)]
fn transform_product<const N: usize>(
    products: &[f32],
    bias: &[f32],
    [n_tiles, tile]: [usize; 2],
    c: usize,
    width: usize,
    out: &mut [f32],
) {
    let n_out = bias.len();
    let start: [f32; N] = bias[c..][..N].try_into().expect("N elements");
    let mut rows = [[[0.0; N]; 2]; 4];
    for (y, row) in rows.iter_mut().enumerate() {
        let mut line = [[0.0; N]; 4];
        for (x, value) in line.iter_mut().enumerate() {
            let place = (4 * y + x) * point_len(n_tiles, n_out) + tile * n_out + c;
            *value = products[place..][..N].try_into().expect("N elements");
        }
        *row = product_line::<N>(line);
    }
    for x in 0..2 {
        let line = product_line::<N>(column(&rows, x));
        for (y, values) in line.iter().enumerate() {
            let to = &mut out[(y * width + x) * n_out + c..][..N];
            for (to, (value, start)) in to.iter_mut().zip(values.iter().zip(&start)) {
                *to = value + start;
            }
        }
    }
}

/// `Aᵀ` times a column of four.
#[inline(always)]
fn product_line<const N: usize>([a, b, c, d]: [[f32; N]; 4]) -> [[f32; N]; 2] {
    let mut out = [[0.0; N]; 2];
    for lane in 0..N {
        out[0][lane] = a[lane] + b[lane] + c[lane];
        out[1][lane] = b[lane] - c[lane] - d[lane];
    }
    out
}

#[inline(always)]
fn column<const N: usize, const WIDTH: usize>(
    rows: &[[[f32; N]; WIDTH]; 4],
    x: usize,
) -> [[f32; N]; 4] {
    [rows[0][x], rows[1][x], rows[2][x], rows[3][x]]
}
