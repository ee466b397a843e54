//! Light and composition.

use super::measured::Measured;
use super::plane::{Plane, TIE, correlation};
use super::view::View;

/// Share of the variance in 7x7 that a plane explains, as a mean over the half of the pixels with
/// the smaller variance. It is high if quiet areas are clean ramps of light, and low if they hold
/// grain (planes fitted in windows: Haralick and Watson 1981, "A facet model for image data").
pub(super) fn planar_shading(view: &View) -> Measured {
    const OFFSETS: [f64; 7] = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
    // Least squares: the squares of the offsets sum to 28 in each of seven rows.
    let across = [OFFSETS.map(|offset| offset / 196.0); 7];
    let down = OFFSETS.map(|offset| [offset / 196.0; 7]);
    let [right, down] = [across, down].map(|kernel| view.luma.correlated(&kernel));
    // The mean square of an offset is 4.
    let plane = right.zip(&down, |a, b| 4.0 * (a * a + b * b));
    let variance = view.luma.variance(7);
    let most = variance.quantile(0.5) + TIE;
    let quiet = variance.mask(|variance| variance <= most);
    let share = plane.zip(&variance, |plane, variance| plane / (variance + 0.5));
    let map = share.zip(&quiet, |share, quiet| share * quiet);
    Measured { value: map.sum() / quiet.sum(), map }
}

/// Share of the small bright spots that sits on the brightest fifth. A 3x3 opening takes these
/// spots away (top-hat: Serra 1982, "Image analysis and mathematical morphology"; bright fine
/// structure reads as gloss: Motoyoshi et al. 2007, "Image statistics and the perception of surface
/// qualities").
pub(super) fn highlight_share(view: &View) -> Measured {
    let opened = view.luma.extreme(f64::min).extreme(f64::max);
    let spots = view.luma.zip(&opened, |luma, opened| luma - opened);
    let least = view.luma.quantile(0.8) - TIE;
    let map = spots.zip(&view.luma, |spot, luma| if luma >= least { spot } else { 0.0 });
    Measured { value: map.sum() / (spots.sum() + 20.0), map }
}

/// Luma between its first and last twentieth, in levels. The map is how far it is from its median.
pub(super) fn contrast(view: &View) -> Measured {
    let [low, median, high] = [0.05, 0.5, 0.95].map(|q| view.luma.quantile(q));
    Measured { value: high - low, map: view.luma.map(|luma| (luma - median).abs()) }
}

/// Correlation of luma with its mirror image, left and right exchanged. The map is how far the two
/// differ.
pub(super) fn symmetry(view: &View) -> Measured {
    let luma = &view.luma;
    let mirrored = Plane::new(luma.height, luma.width, |y, x| luma.at(y, luma.width - 1 - x));
    let map = luma.zip(&mirrored, |luma, mirrored| (luma - mirrored).abs());
    Measured { value: correlation(luma, &mirrored), map }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{assert_near, gray};
    use super::*;

    fn ramp() -> View {
        gray(|_, x| 8 * x as u8)
    }

    #[test]
    fn a_ramp_is_a_plane_but_for_its_ends() {
        // Slopes and variances of windows of seven columns, the first three of which reach over the
        // end: 4 and 128 - (48/7)^2, 40/7 and 1920/7 - (80/7)^2, 50/7 and 3520/7 - (120/7)^2.
        let share = |slope: f64, variance: f64| 4.0 * slope * slope / (variance + 0.5);
        let ends = share(4.0, 128.0 - (48.0f64 / 7.0).powi(2))
            + share(40.0 / 7.0, 1920.0 / 7.0 - (80.0f64 / 7.0).powi(2))
            + share(50.0 / 7.0, 3520.0 / 7.0 - (120.0f64 / 7.0).powi(2));
        let expected = (2.0 * ends + 26.0 * share(8.0, 256.0)) / 32.0;
        assert_near(planar_shading(&ramp()).value, expected);
        assert_near(planar_shading(&gray(|_, _| 40)).value, 0.0);
    }

    #[test]
    fn of_two_spots_one_sits_on_the_bright_half() {
        let view = gray(|y, x| match (y, x) {
            (8, 8) => 50,
            (8, 24) => 250,
            _ => 200 * u8::from(x >= 16),
        });
        assert_near(highlight_share(&view).value, 50.0 / 120.0);
    }

    #[test]
    fn contrast_leaves_the_twentieths_out() {
        // 32 levels of 32 pixels each: the 52nd pixel is 8, the 972nd 240.
        assert_near(contrast(&ramp()).value, 232.0);
    }

    #[test]
    fn a_ramp_is_its_own_negative_mirrored() {
        assert_near(symmetry(&ramp()).value, -1.0);
        let valley = gray(|_, x| 8 * x.min(31 - x) as u8);
        assert_near(symmetry(&valley).value, 1.0);
        assert_near(symmetry(&valley).map.sum(), 0.0);
    }
}
