//! Colors.

use super::measured::Measured;
use super::plane::Plane;
use super::view::View;

/// Level up to which a channel counts as black.
const DARK: f64 = 3.0;

/// Colorfulness of Hasler and Süsstrunk (2003, "Measuring colourfulness in natural images"): spread and
/// mean of red against green and of yellow against blue, in levels.
pub(super) fn colorfulness(view: &View) -> Measured {
    let [red, green, blue] = &view.rgb;
    let red_green = red.zip(green, |r, g| r - g);
    let yellow_blue = red.zip(green, |r, g| (r + g) / 2.0).zip(blue, |y, b| y - b);
    let moments = |plane: &Plane| {
        let mean = plane.mean();
        (mean, plane.map(|v| (v - mean).powi(2)).mean())
    };
    let [(rg_mean, rg_variance), (yb_mean, yb_variance)] = [&red_green, &yellow_blue].map(moments);
    let value = (rg_variance + yb_variance).sqrt() + 0.3 * rg_mean.hypot(yb_mean);
    Measured { value, map: red_green.zip(&yellow_blue, f64::hypot) }
}

/// Mean over the pixels of how far the largest channel is above the smallest, as a share of the largest:
/// saturation in HSV.
pub(super) fn saturation(view: &View) -> Measured {
    let [most, least] = extremes(view);
    let map = most.zip(&least, |most, least| if most > 0.0 { (most - least) / most } else { 0.0 });
    Measured { value: map.mean(), map }
}

/// Mean of the dark channel, in levels: the least of all channels in blocks of 5x5. Haze and flat
/// light raise it (He, Sun and Tang 2009, "Single image haze removal using dark channel prior").
/// The map is how far it is below white.
pub(super) fn dark_channel(view: &View) -> Measured {
    let [_, least] = extremes(view);
    let dark = Plane::new(least.height - 4, least.width - 4, |y, x| {
        least.crop(y, x, 5, 5).values().iter().copied().fold(f64::INFINITY, f64::min)
    });
    Measured { value: dark.mean(), map: dark.map(|level| 255.0 - level) }
}

/// Share of the pixels of which a channel is black (clipped pixels of generated pictures: McCloskey and
/// Albright 2019, "Detecting GAN-generated imagery using saturation cues"; theirs are clipped less
/// than a camera's).
pub(super) fn clipped_dark(view: &View) -> Measured {
    let [_, least] = extremes(view);
    let map = least.mask(|least| least <= DARK);
    Measured { value: map.mean(), map }
}

/// The largest and the smallest channel of each pixel.
fn extremes(view: &View) -> [Plane; 2] {
    let [red, green, blue] = &view.rgb;
    [red.zip(green, f64::max).zip(blue, f64::max), red.zip(green, f64::min).zip(blue, f64::min)]
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{assert_near, colored, gray};
    use super::*;

    #[test]
    fn an_even_color_is_as_colorful_as_it_is_far_from_gray() {
        // Red against green 30, yellow against blue 15.
        assert_near(colorfulness(&colored(|_, _| [30, 0, 0])).value, 0.3 * 30f64.hypot(15.0));
        // Half of it gray: means 15 and 7.5, deviations as much.
        let half = colorfulness(&colored(|_, x| [if x < 16 { 30 } else { 0 }, 0, 0]));
        assert_near(half.value, 1.3 * 15f64.hypot(7.5));
        assert_near(colorfulness(&gray(|_, x| x as u8)).value, 0.0);
    }

    #[test]
    fn saturation_is_a_share_of_the_largest_channel() {
        let half = saturation(&colored(|y, _| if y < 8 { [0; 3] } else { [200, 100, 150] }));
        assert_near(half.value, 0.5 * 24.0 / 32.0);
    }

    #[test]
    fn a_dark_line_darkens_the_blocks_that_hold_it() {
        // Of the 28 columns of blocks, five hold column 16, in which blue is 10.
        let view = colored(|_, x| [200, 90, if x == 16 { 10 } else { 90 }]);
        assert_near(dark_channel(&view).value, (23.0 * 90.0 + 5.0 * 10.0) / 28.0);
    }

    #[test]
    fn one_black_channel_is_enough_to_be_clipped() {
        let view = colored(|y, _| [200, if y < 4 { 3 } else { 4 }, 90]);
        let found = clipped_dark(&view);
        assert_near(found.value, 4.0 / 32.0);
        assert_eq!((found.map.at(3, 9), found.map.at(4, 9)), (1.0, 0.0));
    }
}
