//! Variation from pixel to pixel.

use super::measured::Measured;
use super::plane::{Plane, TIE};
use super::view::View;

/// Share of the pixels with little noise around them, in 5x5. Little is less than a fifth of the
/// picture's response to a mask that is blind to edges (Immerkær 1996, "Fast noise variance
/// estimation"). Zhong et al. 2023 ("PatchCraft", arXiv 2311.12397) compare poor with rich texture.
pub(super) fn quiet_share(view: &View) -> Measured {
    let limit = 0.2 * view.noise.mean() - TIE;
    let map = view.noise.blurred(5).mask(|noise| noise < limit);
    Measured { value: map.mean(), map }
}

/// Level of the noise, as a standard deviation, in the quarter of the picture that varies most
/// (Immerkær 1996; fluctuation in rich texture: Zhong et al. 2023).
pub(super) fn detail_noise(view: &View) -> Measured {
    let spread = view.luma.variance(5).map(f64::sqrt);
    let least = spread.quantile(0.75) - TIE;
    let rich = spread.mask(|spread| spread >= least);
    let map = view.noise.zip(&rich, |noise, rich| noise * rich);
    let scale = (std::f64::consts::PI / 2.0).sqrt() / 6.0;
    Measured { value: scale * map.sum() / rich.sum(), map }
}

/// Excess kurtosis of the residual of luma. Natural pictures are quiet in most places and loud in
/// few (Lyu and Farid 2005, "How realistic is photorealistic?").
pub(super) fn residual_kurtosis(view: &View) -> Measured {
    let residual = view.luma.residual();
    let mean = residual.mean();
    let moment = |k: i32| residual.map(|v| (v - mean).powi(k)).mean();
    let variance = moment(2);
    let value = if variance > 1e-6 { moment(4) / (variance * variance) - 3.0 } else { 0.0 };
    Measured { value, map: residual.map(|v| (v - mean).powi(2)) }
}

/// Root mean square of the difference between the detail of green and of blue, in levels. Details
/// of a scene move all channels of a camera together (Gunturk, Altunbasak and Mersereau 2002,
/// "Color plane interpolation using alternating projections"). Chroma residuals of generated
/// pictures differ: Li, Li, Tan and Huang 2020, "Identification of deep network generated images
/// using disparities in color components".
pub(super) fn channel_incoherence(view: &View) -> Measured {
    let weights = [1.0, 4.0, 6.0, 4.0, 1.0];
    let binomial = weights.map(|down| weights.map(|across| down * across / 256.0));
    let [_, green, blue] = &view.rgb;
    let difference = green.zip(blue, |green, blue| green - blue);
    let map = difference.zip(&difference.correlated(&binomial), |d, smooth| (d - smooth).powi(2));
    Measured { value: map.mean().sqrt(), map }
}

/// Degree to which a checkerboard of two pixels keeps its phase. It is the mean size of the mean
/// diagonal Haar coefficient in windows of 8x8, over the mean size of all. Grain keeps no phase
/// (Odena, Dumoulin and Olah 2016, "Deconvolution and checkerboard artifacts").
pub(super) fn checker_phase(view: &View) -> Measured {
    let luma = &view.luma;
    let diagonal = Plane::new(luma.height / 2, luma.width / 2, |y, x| {
        let at = |dy: usize, dx: usize| luma.at(2 * y + dy, 2 * x + dx);
        (at(0, 0) - at(0, 1) - at(1, 0) + at(1, 1)) / 2.0
    });
    let n_windows = |side: usize| (side - 4) / 2 + 1;
    let map = Plane::new(n_windows(diagonal.height), n_windows(diagonal.width), |y, x| {
        diagonal.crop(2 * y, 2 * x, 4, 4).mean().abs()
    });
    Measured { value: map.mean() / (diagonal.map(f64::abs).mean() + 0.25), map }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{assert_near, colored, dot, gray};
    use super::*;

    #[test]
    fn all_but_what_lies_around_a_dot_is_quiet() {
        // The mask answers in 3x3 pixels, which windows of 5x5 see from 7x7.
        let found = quiet_share(&dot(10, 10));
        assert_near(found.value, (1024.0 - 49.0) / 1024.0);
        assert_near(found.map.at(7, 7), 0.0);
        assert_near(found.map.at(6, 6), 1.0);
    }

    #[test]
    fn noise_is_measured_where_the_picture_varies() {
        // The upper quarter is a checkerboard of 0 and 100, to which the mask answers 16 x 50, and less
        // at its borders.
        let view = gray(|y, x| if y < 8 && (y + x) % 2 == 0 { 100 } else { 0 });
        let found = detail_noise(&view);
        let scale = (std::f64::consts::PI / 2.0).sqrt() / 6.0;
        assert_near(found.map.at(4, 16), 800.0);
        assert!(found.value > scale * 500.0 && found.value < scale * 800.0, "{}", found.value);
        // Less than a quarter varies: every pixel counts as rich. The mask's sizes add up to 16.
        assert_near(detail_noise(&dot(10, 10)).value, scale * 1600.0 / 1024.0);
    }

    #[test]
    fn a_dot_has_the_kurtosis_of_its_residual() {
        // 100 once and -12.5 eight times among 900: the moments are 12.5 and 111328.125.
        assert_near(residual_kurtosis(&dot(10, 10)).value, 111_328.125 / 156.25 - 3.0);
        assert_near(residual_kurtosis(&gray(|_, _| 3)).value, 0.0);
    }

    #[test]
    fn a_dot_of_one_channel_is_incoherent_and_one_of_all_is_not() {
        // 64^2 (1 - 2 36/256 + 70^2 / 256^2) = 3250.25: the squares of the weights sum to 70^2.
        let green = colored(|y, x| [0, if (y, x) == (9, 20) { 64 } else { 0 }, 0]);
        assert_near(channel_incoherence(&green).value, (3250.25f64 / 1024.0).sqrt());
        assert_near(channel_incoherence(&dot(9, 20)).value, 0.0);
    }

    #[test]
    fn a_checkerboard_keeps_its_phase() {
        let board = gray(|y, x| if (y + x) % 2 == 0 { 0 } else { 100 });
        assert_near(checker_phase(&board).value, 100.0 / 100.25);
        // Turned over from square to square, the coefficients of a window cancel.
        let turned = gray(|y, x| if (y + x + y / 2 + x / 2) % 2 == 0 { 0 } else { 100 });
        assert_near(checker_phase(&turned).value, 0.0);
    }
}
