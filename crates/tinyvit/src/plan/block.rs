//! The attention block: attention and its shortcut, a local convolution, an MLP and its shortcut.

use cifake_kernels::packed::{DepthwiseConv3x3, Finish, LayerNorm, Linear, WindowAttention};

use super::scratch::{Pool, Scratch, first};
use super::spread::Spread;

/// One block, on a square map.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) norm: LayerNorm,
    /// Queries are scaled by its weights.
    pub(super) qkv: Linear,
    pub(super) attention: WindowAttention,
    pub(super) proj: Linear,
    pub(super) windows: Windows,
    pub(super) local: DepthwiseConv3x3,
    pub(super) mlp_norm: LayerNorm,
    /// The MLP by parts of its wide side, each small enough for the cache: into it and out of it.
    pub(super) mlp: Vec<[Linear; 2]>,
}

/// The order of a map's tokens by windows, with the pixel of each token.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) side: usize,
    /// Tokens of a map, padding included.
    pub(super) n_tokens: usize,
    /// The pixel of each token and the token of each pixel, unless these are the same.
    pub(super) order: Option<(Vec<Option<usize>>, Vec<usize>)>,
}

impl Windows {
    /// Windows of `window` tokens a side over a map of `side`, padded where they do not tile it.
    pub(super) fn new(side: usize, window: usize) -> Self {
        let padded = side.next_multiple_of(window);
        let n_tokens = padded * padded;
        if padded == window && side == padded {
            return Self { side, n_tokens, order: None };
        }
        let per_row = padded / window;
        let pixel = |token: usize| {
            let (index, inside) = (token / (window * window), token % (window * window));
            let y = index / per_row * window + inside / window;
            let x = index % per_row * window + inside % window;
            (y < side && x < side).then_some(y * side + x)
        };
        let pixels: Vec<Option<usize>> = (0..n_tokens).map(pixel).collect();
        let mut tokens = vec![0; side * side];
        for (token, pixel) in pixels.iter().enumerate() {
            if let Some(pixel) = pixel {
                tokens[*pixel] = token;
            }
        }
        Self { side, n_tokens, order: Some((pixels, tokens)) }
    }

    fn n_pixels(&self) -> usize {
        self.side * self.side
    }
}

impl Block {
    fn dim(&self) -> usize {
        self.proj.d_output()
    }

    /// First half: attention added to the map `x`, in place, through `qkv`; then the local
    /// convolution, into `out`.
    pub(super) fn attend(
        &self,
        x: &mut [f32],
        spread: Spread,
        scratch: &Pool<Scratch>,
        qkv: &mut Vec<f32>,
        out: &mut Vec<f32>,
    ) {
        let dim = self.dim();
        let batch = x.len() / (self.windows.n_pixels() * dim);
        let n_tokens = batch * self.windows.n_tokens;
        qkv.resize(n_tokens * 3 * dim, 0.0);
        self.project_tokens(x, spread, scratch, qkv);

        out.resize(n_tokens * dim, 0.0);
        let window = self.attention.tokens();
        let rows = match spread {
            // Queries are split where there are fewer windows than threads.
            Spread::Pool if n_tokens / window < rayon::current_num_threads() => {
                window.div_ceil(rayon::current_num_threads())
            }
            _ => window,
        };
        let tasks_of_window = window.div_ceil(rows);
        let tasks: Vec<_> = out
            .chunks_exact_mut(window * dim)
            .zip(qkv.chunks_exact(window * 3 * dim))
            .flat_map(|(out, qkv)| out.chunks_mut(rows * dim).map(move |out| (qkv, out)))
            .collect();
        spread.for_each_item(tasks, scratch, |i, (qkv, out), scratch| {
            let first = i % tasks_of_window * rows;
            self.attention.apply(qkv, first, &mut scratch.attention, out);
        });

        let rows = spread.task_rows(x.len() / dim);
        spread.for_each(x, rows * dim, scratch, |i, x, scratch| {
            self.merge(out, i * rows, scratch, x);
        });

        out.resize(x.len(), 0.0);
        let row_len = self.windows.side * dim;
        let task = spread.task_rows(x.len() / dim).div_ceil(self.windows.side) * row_len;
        spread.for_each(out, task, scratch, |i, out, _| {
            for (row, out) in out.chunks_exact_mut(row_len).enumerate() {
                self.convolve_row(x, i * (task / row_len) + row, out);
            }
        });
    }

    /// Normalized tokens to their queries, keys and values.
    fn project_tokens(&self, x: &[f32], spread: Spread, pool: &Pool<Scratch>, qkv: &mut [f32]) {
        let dim = self.dim();
        let rows = spread.task_rows(qkv.len() / (3 * dim));
        spread.for_each(qkv, rows * 3 * dim, pool, |i, qkv, scratch| {
            let (start, n) = (i * rows, qkv.len() / (3 * dim));
            let Scratch { rows: gathered, wide: normed, .. } = scratch;
            let tokens = match &self.windows.order {
                None => &x[start * dim..][..n * dim],
                Some((pixels, _)) => {
                    let gathered = first(gathered, n * dim);
                    for (token, row) in (start..).zip(gathered.chunks_exact_mut(dim)) {
                        let (image, token) = (token / pixels.len(), token % pixels.len());
                        match pixels[token] {
                            Some(pixel) => {
                                let pixel = image * self.windows.n_pixels() + pixel;
                                row.copy_from_slice(&x[pixel * dim..][..dim]);
                            }
                            None => row.fill(0.0),
                        }
                    }
                    &*gathered
                }
            };
            let normed = first(normed, n * dim);
            self.norm.apply(tokens, normed);
            self.qkv.apply(normed, Finish::Store, qkv);
        });
    }

    /// Adds the projected attention of the pixels from `start` on to `x`.
    fn merge(&self, mixed: &[f32], start: usize, scratch: &mut Scratch, x: &mut [f32]) {
        let dim = self.dim();
        let tokens = match &self.windows.order {
            None => &mixed[start * dim..][..x.len()],
            Some((pixels, tokens)) => {
                let gathered = first(&mut scratch.rows, x.len());
                for (pixel, row) in (start..).zip(gathered.chunks_exact_mut(dim)) {
                    let (image, pixel) = (pixel / tokens.len(), pixel % tokens.len());
                    let token = image * pixels.len() + tokens[pixel];
                    row.copy_from_slice(&mixed[token * dim..][..dim]);
                }
                &*gathered
            }
        };
        self.proj.apply(tokens, Finish::Accumulate, x);
    }

    /// Row `row` of the local convolution, counted over all images.
    fn convolve_row(&self, x: &[f32], row: usize, out: &mut [f32]) {
        let (side, y) = (self.windows.side, row % self.windows.side);
        let at = |row: usize| &x[row * out.len()..][..out.len()];
        let above = (y > 0).then(|| at(row - 1));
        let below = (y + 1 < side).then(|| at(row + 1));
        self.local.apply_row([above, Some(at(row)), below], false, out);
    }

    /// Second half: the MLP of `x`, added to it, into `out`.
    pub(super) fn transform(
        &self,
        x: &[f32],
        spread: Spread,
        scratch: &Pool<Scratch>,
        out: &mut [f32],
    ) {
        let dim = self.dim();
        let rows = spread.task_rows(x.len() / dim);
        spread.for_each(out, rows * dim, scratch, |i, out, scratch| {
            let x = &x[i * rows * dim..][..out.len()];
            let normed = first(&mut scratch.rows, x.len());
            self.mlp_norm.apply(x, normed);
            for (i, [widen, narrow]) in self.mlp.iter().enumerate() {
                let wide = first(&mut scratch.wide, x.len() / dim * widen.d_output());
                widen.apply(normed, Finish::Gelu, wide);
                let finish = if i == 0 { Finish::Add(x) } else { Finish::Accumulate };
                narrow.apply(wide, finish, out);
            }
        });
    }
}
