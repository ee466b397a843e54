//! A rectangle of a picture in the planes that measures read.

use cifake::Picture;

/// One value a pixel, in levels of a byte.
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

    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(super) fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// Differences to the right, with one column less, and downwards, with one row less.
    pub(super) fn differences(&self) -> [Self; 2] {
        [
            Self::new(self.height, self.width - 1, |y, x| self.at(y, x + 1) - self.at(y, x)),
            Self::new(self.height - 1, self.width, |y, x| self.at(y + 1, x) - self.at(y, x)),
        ]
    }

    /// Size of the gradient by central differences, without the outermost pixels.
    pub(super) fn gradient(&self) -> Self {
        Self::new(self.height - 2, self.width - 2, |y, x| {
            let across = self.at(y + 1, x + 2) - self.at(y + 1, x);
            let down = self.at(y + 2, x + 1) - self.at(y, x + 1);
            across.hypot(down) / 2.0
        })
    }

    /// What the mean of the eight neighbours does not tell, without the outermost pixels.
    pub(super) fn residual(&self) -> Self {
        Self::new(self.height - 2, self.width - 2, |y, x| {
            let block = (0..3).flat_map(|dy| (0..3).map(move |dx| (dy, dx)));
            let sum: f64 = block.map(|(dy, dx)| self.at(y + dy, x + dx)).sum();
            let centre = self.at(y + 1, x + 1);
            centre - (sum - centre) / 8.0
        })
    }

    pub(super) fn crop(&self, y0: usize, x0: usize, height: usize, width: usize) -> Self {
        Self::new(height, width, |y, x| self.at(y0 + y, x0 + x))
    }
}

/// Red, green, blue, luma and the two chroma differences of ITU-R BT.601, as JPEG has them but
/// centred at 0.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) rgb: [Plane; 3],
    pub(super) luma: Plane,
    pub(super) chroma: [Plane; 2],
}

impl View {
    pub(super) fn new(picture: &Picture) -> Self {
        let (height, width) = (picture.height() as usize, picture.width() as usize);
        let channel = |channel: usize| {
            Plane::new(height, width, |y, x| {
                f64::from(picture.pixels()[(y * width + x) * 3 + channel])
            })
        };
        let rgb = [channel(0), channel(1), channel(2)];
        let mixed = |weights: [f64; 3]| {
            Plane::new(height, width, |y, x| {
                rgb.iter().zip(weights).map(|(plane, weight)| weight * plane.at(y, x)).sum()
            })
        };
        let luma = mixed([0.299, 0.587, 0.114]);
        let chroma = [mixed([-0.168_736, -0.331_264, 0.5]), mixed([0.5, -0.418_688, -0.081_312])];
        Self { rgb, luma, chroma }
    }

    /// Its nine overlapping windows of half its height and width, in reading order.
    pub(super) fn windows(&self) -> [Self; 9] {
        let (height, width) = (self.luma.height, self.luma.width);
        std::array::from_fn(|i| {
            let (y, x) = (i / 3 * (height - height / 2) / 2, i % 3 * (width - width / 2) / 2);
            let crop = |plane: &Plane| plane.crop(y, x, height / 2, width / 2);
            Self {
                rgb: self.rgb.each_ref().map(crop),
                luma: crop(&self.luma),
                chroma: self.chroma.each_ref().map(crop),
            }
        })
    }
}

/// Pearson's correlation, 0 where one of the two does not vary.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let [mean_a, mean_b] = [a, b].map(|values| values.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let scale = (aa * bb).sqrt();
    if scale > 1e-9 * n { ab / scale } else { 0.0 }
}

/// The `share`-th value of `values` in order, 0.5 for the median.
pub(super) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
