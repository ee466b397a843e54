//! Affine maps of rows.

use crate::gemm::{self, Matrix, Panels, Start, multiply_then};

/// The operation on a finished result.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a> {
    /// It is stored.
    Store,
    /// GELU of it is stored.
    Gelu,
    /// It is stored after the addition of the same place of another slice.
    Add(&'a [f32]),
    /// GELU of it, after the addition of the same place of another slice, is stored.
    AddGelu(&'a [f32]),
    /// It is added to what the output holds.
    Accumulate,
}

/// `x weightᵀ + bias` for rows `x` of `d_input` elements.
#[derive(Debug, Clone)]
pub struct Linear {
    panels: Panels,
    bias: Vec<f32>,
    d_input: usize,
}

impl Linear {
    /// Packs a `weight` of `[bias.len(), d_input]`, row by row.
    ///
    /// # Panics
    /// If the weight is empty or no such matrix.
    #[must_use]
    pub fn new(weight: &[f32], bias: &[f32]) -> Self {
        let d_output = bias.len();
        let d_input = weight.len() / d_output;
        assert!(d_input > 0 && weight.len() == d_input * d_output, "one row an output");
        let panels = Panels::pack(Matrix::columns(weight, d_input), d_input, d_output);
        Self { panels, bias: bias.to_vec(), d_input }
    }

    /// Elements of a row of the input.
    #[must_use]
    pub fn d_input(&self) -> usize {
        self.d_input
    }

    /// Elements of a row of the output.
    #[must_use]
    pub fn d_output(&self) -> usize {
        self.bias.len()
    }

    /// Maps the rows of `x`, `[rows, d_input]`, into `out`, `[rows, d_output]`.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn apply(&self, x: &[f32], finish: Finish<'_>, out: &mut [f32]) {
        let (d_input, d_output) = (self.d_input, self.d_output());
        let rows = x.len() / d_input;
        assert!(x.len() == rows * d_input && out.len() == rows * d_output, "unequal rows");
        let start = Start::Row(&self.bias);
        let (start, shortcut, gelu) = match finish {
            Finish::Store => (start, None, false),
            Finish::Gelu => (start, None, true),
            Finish::Add(shortcut) => (start, Some((shortcut, d_output)), false),
            Finish::AddGelu(shortcut) => (start, Some((shortcut, d_output)), true),
            // One row of biases for all.
            Finish::Accumulate => (Start::Output, Some((&self.bias[..], 0)), false),
        };
        let finish = gemm::Finish { shortcut, gelu };
        let x = Matrix::rows(x, d_input);
        multiply_then(rows, x, &self.panels, start, finish, out, d_output);
    }
}

#[cfg(test)]
mod tests {
    use super::{Finish, Linear};
    use crate::check::values;

    /// Sums of up to 300 products of magnitude 1.
    const LIMIT: f32 = 2e-5;

    fn gelu(x: f64) -> f64 {
        let z = x / std::f64::consts::SQRT_2;
        let erf = if z.abs() < 4.5 { crate::simd::tests::exact_erf(z) } else { z.signum() };
        0.5 * x * (1.0 + erf)
    }

    #[test]
    fn every_finish_agrees_with_the_definition() {
        for (rows, d_input, d_output) in [(1, 1, 1), (13, 300, 35), (7, 16, 64)] {
            let [x, weight, bias, shortcut] =
                [rows * d_input, d_input * d_output, d_output, rows * d_output]
                    .map(|len| values(len, len as u64));
            let layer = Linear::new(&weight, &bias);
            let sum = |i: usize| {
                let (row, column) = (i / d_output, i % d_output);
                let x = &x[row * d_input..][..d_input];
                let weight = &weight[column * d_input..][..d_input];
                let products = x.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w));
                products.sum::<f64>() + f64::from(bias[column])
            };
            let more = |i: usize| sum(i) + f64::from(shortcut[i]);
            let check = |finish: Finish<'_>, expected: &dyn Fn(usize) -> f64| {
                let mut out = shortcut.clone();
                layer.apply(&x, finish, &mut out);
                for (i, out) in out.iter().enumerate() {
                    let expected = expected(i) as f32;
                    let difference = (out - expected).abs() / expected.abs().max(1.0);
                    assert!(difference < LIMIT, "{finish:?} {i}: {out}, not {expected}");
                }
            };
            check(Finish::Store, &sum);
            check(Finish::Gelu, &|i| gelu(sum(i)));
            check(Finish::Add(&shortcut), &more);
            check(Finish::AddGelu(&shortcut), &|i| gelu(more(i)));
            check(Finish::Accumulate, &more);
        }
    }
}
