//! Colours and light.

use super::view::{Plane, View, correlation, quantile};

/// Colourfulness of Hasler and Süsstrunk (2003): spread and mean of red against green and of yellow
/// against blue, in levels.
pub(super) fn colourfulness(view: &View) -> f64 {
    let [red, green, blue] = view.rgb.each_ref().map(|plane| plane.values());
    let pixels = || red.iter().zip(green).zip(blue).map(|((r, g), b)| (r, g, b));
    let moments = |of: &dyn Fn((&f64, &f64, &f64)) -> f64| {
        let n = red.len() as f64;
        let mean = pixels().map(of).sum::<f64>() / n;
        let variance = pixels().map(|p| (of(p) - mean).powi(2)).sum::<f64>() / n;
        (mean, variance)
    };
    let (rg_mean, rg_variance) = moments(&|(r, g, _)| r - g);
    let (yb_mean, yb_variance) = moments(&|(r, g, b)| (r + g) / 2.0 - b);
    (rg_variance + yb_variance).sqrt() + 0.3 * rg_mean.hypot(yb_mean)
}

/// Mean over the pixels of how far the largest channel is above the smallest, as a share of the largest:
/// saturation in HSV.
pub(super) fn saturation(view: &View) -> f64 {
    let n = view.luma.values().len();
    let of = |i: usize| {
        let [r, g, b] = view.rgb.each_ref().map(|plane| plane.values()[i]);
        let (most, least) = (r.max(g).max(b), r.min(g).min(b));
        if most > 0.0 { (most - least) / most } else { 0.0 }
    };
    (0..n).map(of).sum::<f64>() / n as f64
}

/// Share of the pixels whose three channels are all above 249.
pub(super) fn highlights(view: &View) -> f64 {
    let n = view.luma.values().len();
    let is_white = |&i: &usize| view.rgb.iter().all(|plane| plane.values()[i] > 249.0);
    (0..n).filter(is_white).count() as f64 / n as f64
}

/// Luma between its first and last twentieth, in levels.
pub(super) fn contrast(view: &View) -> f64 {
    let [low, high] = [0.05, 0.95].map(|share| quantile(view.luma.values().to_vec(), share));
    high - low
}

/// Mean of the dark channel, the least of all channels in blocks of 5x5, in levels: haze and flat
/// light raise it (He, Sun and Tang 2009, "Single image haze removal using dark channel prior").
pub(super) fn dark_channel(view: &View) -> f64 {
    let (height, width) = (view.luma.height, view.luma.width);
    let least = |y: usize, x: usize| {
        let block = (y..y + 5).flat_map(|y| (x..x + 5).map(move |x| (y, x)));
        block
            .flat_map(|(y, x)| view.rgb.iter().map(move |plane| plane.at(y, x)))
            .fold(f64::INFINITY, f64::min)
    };
    Plane::new(height - 4, width - 4, least).mean()
}

/// Share of the variance of luma that a plane explains: light that changes evenly over the whole.
pub(super) fn lighting_plane(view: &View) -> f64 {
    let luma = &view.luma;
    let place = |of: fn(usize, usize) -> usize| -> Vec<f64> {
        (0..luma.values().len()).map(|i| of(i, luma.width) as f64).collect()
    };
    let (down, across) = (place(|i, width| i / width), place(|i, width| i % width));
    // Rows and columns are uncorrelated, so that the shares that each explains add up.
    correlation(luma.values(), &down).powi(2) + correlation(luma.values(), &across).powi(2)
}

/// Correlation of luma with its mirror image, left and right exchanged.
pub(super) fn symmetry(view: &View) -> f64 {
    let luma = &view.luma;
    let mirrored = Plane::new(luma.height, luma.width, |y, x| luma.at(y, luma.width - 1 - x));
    correlation(luma.values(), mirrored.values())
}
