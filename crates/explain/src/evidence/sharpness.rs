//! The sharpness of a picture's parts.

use super::measured::Measured;
use super::plane::quantile;
use super::view::View;

/// Standard deviation over the blocks of 8x8 of the logarithm of their Laplacian over their gradient
/// (local sharpness: Vu, Phan and Chandler 2012, "S3: a spectral and spatial measure of local perceived
/// sharpness"; blocks against each other: Mahdian and Saic 2009, "Using noise inconsistencies for blind
/// image forensics").
pub(super) fn sharpness_inconsistency(view: &View) -> Measured {
    let ratio = view.laplacian.blocks().zip(&view.gradient.blocks(), |laplacian, gradient| {
        ((laplacian + 0.5) / (gradient + 0.5)).ln()
    });
    let mean = ratio.mean();
    let variance = ratio.map(|r| (r - mean).powi(2)).mean();
    Measured { value: variance.sqrt(), map: ratio.map(|r| (r - mean).abs()) }
}

/// Logarithm of the Laplacian of the sharpest block of 8x8 over that of the median one (Pech-Pacheco et
/// al. 2000, "Diatom autofocusing in brightfield microscopy").
pub(super) fn sharpest_block(view: &View) -> Measured {
    let sharpness = view.laplacian.blocks().map(|mean| (mean + 0.25).ln());
    let [median, most] = [0.5, 1.0].map(|q| sharpness.quantile(q));
    Measured { value: most - median, map: sharpness.map(|s| (s - median).max(0.0)) }
}

/// Logarithm of the mean Laplacian of the middle over its median around it. The source is Datta,
/// Joshi, Li and Wang 2006, "Studying aesthetics in photographic images using a computational
/// approach". The map tells by how much each place around falls short of the middle.
pub(super) fn centre_sharpness(view: &View) -> Measured {
    let plane = &view.laplacian;
    let is_inside = |y: usize, x: usize| {
        let inside = |at: usize, side: usize| at >= side / 4 && at < side - side / 4;
        inside(y, plane.height) && inside(x, plane.width)
    };
    let (mut centre, mut around) = (Vec::new(), Vec::new());
    for (place, &value) in plane.values().iter().enumerate() {
        let inside = is_inside(place / plane.width, place % plane.width);
        if inside { centre.push(value) } else { around.push(value) }
    }
    let inside = centre.iter().sum::<f64>() / centre.len() as f64 + 0.5;
    let outside = quantile(around, 0.5) + 0.5;
    let local = plane.blurred(5);
    let mut map = local.map(|local| (inside / (local + 0.5)).ln().max(0.0));
    for y in 0..map.height {
        for x in 0..map.width {
            if is_inside(y, x) {
                map.add(y, x, -map.at(y, x));
            }
        }
    }
    Measured { value: (inside / outside).ln(), map }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{assert_near, dot, gray, step};
    use super::*;

    #[test]
    fn half_of_the_blocks_sharper_is_half_of_the_logarithm() {
        // Blocks at the step hold 100 / 8 of the Laplacian and 50 / 8 of the gradient, others neither.
        let expected = (13.0f64 / 6.75).ln() / 2.0;
        assert_near(sharpness_inconsistency(&step()).value, expected);
        assert_near(sharpness_inconsistency(&gray(|_, _| 80)).value, 0.0);
    }

    #[test]
    fn one_sharp_block_stands_out() {
        // A dot has a Laplacian of 400 and four of 100, in a block of 64.
        let found = sharpest_block(&dot(4, 4));
        assert_near(found.value, (12.75f64 / 0.25).ln());
        assert_near(found.map.at(0, 0), found.value);
        assert_near(found.map.at(3, 3), 0.0);
    }

    #[test]
    fn a_sharp_middle_on_nothing_fades_around_it() {
        // 800 over the 256 pixels of the middle.
        let found = centre_sharpness(&dot(16, 16));
        assert_near(found.value, (3.625f64 / 0.5).ln());
        assert_near(found.map.at(0, 0), found.value);
        assert_near(found.map.at(12, 12), 0.0);
    }
}
