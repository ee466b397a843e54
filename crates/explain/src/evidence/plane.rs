//! Values on a grid of pixels, and what measures do with them.

/// Values that differ by less are equal: the flat parts of pictures differ by rounding alone.
pub(super) const TIE: f64 = 1e-9;

/// One value a pixel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
    values: Vec<f64>,
}

impl Plane {
    pub(super) fn new(height: usize, width: usize, at: impl Fn(usize, usize) -> f64) -> Self {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        Self { height, width, values: places.map(|(y, x)| at(y, x)).collect() }
    }

    pub(super) fn at(&self, y: usize, x: usize) -> f64 {
        self.values[y * self.width + x]
    }

    /// Adds to the value at a place.
    pub(super) fn add(&mut self, y: usize, x: usize, more: f64) {
        self.values[y * self.width + x] += more;
    }

    /// The value `dy` rows below and `dx` columns to the right; borders go on for ever.
    fn near(&self, y: usize, x: usize, dy: isize, dx: isize) -> f64 {
        let inside = |at: usize, by: isize, side: usize| at.saturating_add_signed(by).min(side - 1);
        self.at(inside(y, dy, self.height), inside(x, dx, self.width))
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(super) fn into_values(self) -> Vec<f64> {
        self.values
    }

    pub(super) fn sum(&self) -> f64 {
        self.values.iter().sum()
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum() / self.values.len() as f64
    }

    pub(super) fn map(&self, of: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|&value| of(value)).collect(), ..*self }
    }

    /// A value of each pair of places.
    pub(super) fn zip(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        let pairs = self.values.iter().zip(&other.values);
        Self { values: pairs.map(|(&a, &b)| of(a, b)).collect(), ..*self }
    }

    /// 1 where `is` holds, 0 elsewhere.
    pub(super) fn mask(&self, is: impl Fn(f64) -> bool) -> Self {
        self.map(|value| f64::from(u8::from(is(value))))
    }

    /// Its part of `height` rows and `width` columns from (`y0`, `x0`) on.
    pub(super) fn crop(&self, y0: usize, x0: usize, height: usize, width: usize) -> Self {
        Self::new(height, width, |y, x| self.at(y0 + y, x0 + x))
    }

    pub(super) fn transposed(&self) -> Self {
        Self::new(self.width, self.height, |y, x| self.at(x, y))
    }

    /// Correlation with `kernel`, whose side is odd, at every place.
    pub(super) fn correlated<const N: usize>(&self, kernel: &[[f64; N]; N]) -> Self {
        let reach = (N / 2) as isize;
        Self::new(self.height, self.width, |y, x| {
            let row = |(dy, row): (isize, &[f64; N])| -> f64 {
                let weight = |(dx, weight): (isize, &f64)| weight * self.near(y, x, dy, dx);
                (-reach..).zip(row).map(weight).sum()
            };
            (-reach..).zip(kernel).map(row).sum()
        })
    }

    /// The mean of the `side` x `side` places around each; `side` is odd.
    pub(super) fn blurred(&self, side: usize) -> Self {
        let reach = (side / 2) as isize;
        let across = Self::new(self.height, self.width, |y, x| {
            (-reach..=reach).map(|dx| self.near(y, x, 0, dx)).sum::<f64>() / side as f64
        });
        Self::new(self.height, self.width, |y, x| {
            (-reach..=reach).map(|dy| across.near(y, x, dy, 0)).sum::<f64>() / side as f64
        })
    }

    /// The variance of the `side` x `side` places around each.
    pub(super) fn variance(&self, side: usize) -> Self {
        let (squares, mean) = (self.map(|v| v * v).blurred(side), self.blurred(side));
        squares.zip(&mean, |square, mean| (square - mean * mean).max(0.0))
    }

    /// The least, or by `pick` another, of the 3x3 places around each.
    pub(super) fn extreme(&self, pick: fn(f64, f64) -> f64) -> Self {
        Self::new(self.height, self.width, |y, x| {
            let block = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx)));
            block.fold(self.at(y, x), |found, (dy, dx)| pick(found, self.near(y, x, dy, dx)))
        })
    }

    /// Means of the whole blocks of 8x8, from the first place on.
    pub(super) fn blocks(&self) -> Self {
        Self::new(self.height / 8, self.width / 8, |y, x| self.crop(8 * y, 8 * x, 8, 8).mean())
    }

    /// Differences to the right, with one column less.
    pub(super) fn steps(&self) -> Self {
        Self::new(self.height, self.width - 1, |y, x| self.at(y, x + 1) - self.at(y, x))
    }

    /// The difference from the mean of the eight neighbors, without the outermost pixels.
    pub(super) fn residual(&self) -> Self {
        Self::new(self.height - 2, self.width - 2, |y, x| {
            let block = self.crop(y, x, 3, 3);
            let centre = block.at(1, 1);
            centre - (block.sum() - centre) / 8.0
        })
    }

    /// The value below which the share `q` of all lies, linear between neighbours.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        quantile(self.values.clone(), q)
    }
}

/// The value below which the share `q` of `values` lies, linear between neighbours.
pub(super) fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let position = q * (values.len() - 1) as f64;
    let (below, above) = (values[position.floor() as usize], values[position.ceil() as usize]);
    below + position.fract() * (above - below)
}

/// Pearson's correlation, 0 where one of the two does not vary.
pub(super) fn correlation(a: &Plane, b: &Plane) -> f64 {
    let n = a.values.len() as f64;
    let (mean_a, mean_b) = (a.mean(), b.mean());
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.values.iter().zip(&b.values) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let scale = (aa * bb).sqrt();
    if scale > 1e-9 * n { ab / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_go_on_and_kernels_are_not_turned() {
        let plane = Plane::new(2, 3, |y, x| (3 * y + x) as f64);
        let right = plane.correlated(&[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]);
        assert_eq!(right.values(), [1.0, 2.0, 2.0, 4.0, 5.0, 5.0]);
        // Rows of 0 0 1, 0 1 2, 1 2 2 and three more each: 3 x (sum) of the top row, twice.
        let mean = plane.blurred(3);
        assert!((mean.at(0, 0) - (2.0 * 1.0 + 10.0) / 9.0).abs() < 1e-12, "{mean:?}");
        assert_eq!(plane.extreme(f64::min).values(), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(plane.transposed().values(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(plane.steps().values(), [1.0; 4]);
    }

    #[test]
    fn quantiles_are_linear_between_values() {
        let found = [0.0, 0.25, 0.5, 1.0].map(|q| quantile(vec![4.0, 1.0, 2.0], q));
        assert_eq!(found, [1.0, 1.5, 2.0, 4.0]);
    }

    #[test]
    fn a_variance_is_that_of_the_window() {
        let plane = Plane::new(1, 3, |_, x| [0.0, 3.0, 9.0][x]);
        // Three equal rows of 0 3 9: the mean is 4, the squares' 30.
        assert!((plane.variance(3).at(0, 1) - 14.0).abs() < 1e-12);
    }
}
