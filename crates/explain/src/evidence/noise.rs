//! What varies from pixel to pixel.

use super::view::{Plane, View, correlation, quantile};

/// Standard deviation of the noise in luma: the mean size of the response to a mask that is blind to
/// edges (Immerkær 1996, "Fast noise variance estimation").
pub(super) fn noise_level(view: &View) -> f64 {
    immerkaer(&view.luma)
}

/// The same in the two chroma differences, their root mean square.
pub(super) fn chroma_noise(view: &View) -> f64 {
    let [cb, cr] = view.chroma.each_ref().map(immerkaer);
    ((cb * cb + cr * cr) / 2.0).sqrt()
}

fn immerkaer(plane: &Plane) -> f64 {
    const MASK: [[f64; 3]; 3] = [[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]];
    let responses = Plane::new(plane.height - 2, plane.width - 2, |y, x| {
        let mut sum = 0.0;
        for (dy, row) in MASK.iter().enumerate() {
            for (dx, weight) in row.iter().enumerate() {
                sum += weight * plane.at(y + dy, x + dx);
            }
        }
        sum.abs()
    });
    (std::f64::consts::PI / 2.0).sqrt() / 6.0 * responses.mean()
}

/// Spread of the noise level over the quarters of the picture: the standard deviation of the
/// logarithm of 1/2 + its level (Mahdian and Saic 2009, "Using noise inconsistencies for blind image
/// forensics").
pub(super) fn noise_inconsistency(view: &View) -> f64 {
    let (height, width) = (view.luma.height / 2, view.luma.width / 2);
    let level = |i: usize| {
        let (y0, x0) = (i / 2 * height, i % 2 * width);
        (0.5 + immerkaer(&view.luma.crop(y0, x0, height, width))).ln()
    };
    let levels: [f64; 4] = std::array::from_fn(level);
    let mean = levels.iter().sum::<f64>() / 4.0;
    (levels.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / 4.0).sqrt()
}

/// Excess kurtosis of the residual of luma: natural pictures are quiet in most places and loud in
/// few (Lyu and Farid 2005, "How realistic is photorealistic?").
pub(super) fn residual_kurtosis(view: &View) -> f64 {
    let residual = view.luma.residual();
    let n = residual.values().len() as f64;
    let mean = residual.mean();
    let moment = |k: i32| residual.values().iter().map(|v| (v - mean).powi(k)).sum::<f64>() / n;
    let variance = moment(2);
    if variance > 1e-6 { moment(4) / (variance * variance) - 3.0 } else { 0.0 }
}

/// Mean correlation of the residuals of red and blue with that of green: demosaicing and the optics
/// of a camera tie the channels together (Gallagher and Chen 2008, "Image authentication by detecting
/// traces of demosaicing").
pub(super) fn channel_coupling(view: &View) -> f64 {
    let [red, green, blue] = view.rgb.each_ref().map(Plane::residual);
    let with_green = |plane: &Plane| correlation(plane.values(), green.values());
    (with_green(&red) + with_green(&blue)) / 2.0
}

/// Share of the pixels around which luma varies by less than a level and a half (standard deviation in
/// blocks of 3x3).
pub(super) fn flat_share(view: &View) -> f64 {
    let luma = &view.luma;
    let is_flat = Plane::new(luma.height - 2, luma.width - 2, |y, x| {
        let block = || (0..9).map(|i| luma.at(y + i / 3, x + i % 3));
        let mean = block().sum::<f64>() / 9.0;
        let variance = block().map(|v| (v - mean).powi(2)).sum::<f64>() / 9.0;
        f64::from(u8::from(variance.sqrt() < 1.5))
    });
    is_flat.mean()
}

/// Ratio of the ninth decile of the gradient of luma to its median: how much sharper the sharpest
/// places are than the rest.
pub(super) fn sharpness_contrast(view: &View) -> f64 {
    let gradient = view.luma.gradient();
    let [median, ninth] = [0.5, 0.9].map(|share| quantile(gradient.values().to_vec(), share));
    (1.0 + ninth) / (1.0 + median)
}
