//! Measures of edges.

use super::measured::Measured;
use super::plane::{Plane, TIE};
use super::view::{View, slopes};

/// Least slope of an edge, in levels a pixel.
const LEAST_SLOPE: f64 = 4.0;
/// Least step between two pixels around which overshoot is looked for, in levels.
const STRONG_STEP: f64 = 40.0;
/// Least step between two pixels that counts as an edge whose width is taken, in levels.
const STEP: f64 = 12.0;

/// Second derivative across the strongest fifth of the edges, over their slope. An edge that a lens
/// and a proper reduction made rises over two pixels or more. An edge that was sampled without
/// smoothing rises within one. Second derivatives across edges are those of Haralick 1984, "Digital
/// step edges from zero crossing of second directional derivatives". Aliasing at strong edges
/// follows Reibman and Suthaharan 2008, "A no-reference spatial aliasing measure for digital image
/// resizing".
pub(super) fn edge_aliasing(view: &View) -> Measured {
    const XX: [[f64; 3]; 3] = [[0.0, 0.0, 0.0], [1.0, -2.0, 1.0], [0.0, 0.0, 0.0]];
    const YY: [[f64; 3]; 3] = [[0.0, 1.0, 0.0], [0.0, -2.0, 0.0], [0.0, 1.0, 0.0]];
    const XY: [[f64; 3]; 3] = [[0.25, 0.0, -0.25], [0.0, 0.0, 0.0], [-0.25, 0.0, 0.25]];
    let [xx, xy, yy] = [XX, XY, YY].map(|kernel| view.luma.correlated(&kernel));
    let least = LEAST_SLOPE.max(view.gradient.quantile(0.8)) - TIE;
    let [right, down] = &view.slope;
    let (mut across, mut slope) = (view.gradient.map(|_| 0.0), 0.0);
    for y in 0..across.height {
        for x in 0..across.width {
            let (gx, gy, g) = (right.at(y, x), down.at(y, x), view.gradient.at(y, x));
            if g >= least {
                let second =
                    xx.at(y, x) * gx * gx + 2.0 * xy.at(y, x) * gx * gy + yy.at(y, x) * gy * gy;
                across.add(y, x, second.abs() / (gx * gx + gy * gy + 1.0));
                slope += g;
            }
        }
    }
    Measured { value: across.sum() / (slope + 1.0), map: across }
}

/// Share of strong steps that the very next pixel takes back, along rows and columns, both ways.
/// The source is Cao, Zhao, Ni and Kot 2011, "Unsharp masking sharpening detection via overshoot
/// artifacts analysis".
pub(super) fn edge_overshoot(view: &View) -> Measured {
    let along = [overshoots(&view.luma), overshoots(&view.luma.transposed())];
    let [(row_map, row_steps), (column_map, column_steps)] = along;
    let map = row_map.zip(&column_map.transposed(), |a, b| a + b);
    Measured { value: map.sum() / (row_steps + column_steps + 20.0), map }
}

/// The part of steps that rows take back, at the pixel between step and return, and the sum of the
/// steps.
fn overshoots(luma: &Plane) -> (Plane, f64) {
    let difference = luma.steps();
    let (mut back, mut steps) = (luma.map(|_| 0.0), 0.0);
    for y in 0..difference.height {
        for x in 0..difference.width - 1 {
            let pair = [difference.at(y, x), difference.at(y, x + 1)];
            for [step, next] in [pair, [pair[1], pair[0]]] {
                if step.abs() >= STRONG_STEP - TIE {
                    steps += step.abs();
                    if step * next < 0.0 {
                        back.add(y, x + 1, step.abs().min(next.abs()));
                    }
                }
            }
        }
    }
    (back, steps)
}

/// Mean width of the edges of luma along rows and columns, in pixels. A width goes from the local
/// minimum to the local maximum around a strong step (Marziliano et al. 2002, "A no-reference
/// perceptual blur metric"). The whole width where there is no edge. The map is the stronger the
/// narrower an edge is.
pub(super) fn edge_width(view: &View) -> Measured {
    let mut map = view.luma.map(|_| 0.0);
    let (mut total, mut n) = (0, 0);
    let mut take = |ramps: Vec<Ramp>, place: &dyn Fn(usize) -> (usize, usize)| {
        for Ramp { start, width } in ramps {
            (total, n) = (total + width, n + 1);
            for at in start..=start + width {
                let (y, x) = place(at);
                map.add(y, x, 1.0 / (width * (width + 1)) as f64);
            }
        }
    };
    let (height, width) = (view.luma.height, view.luma.width);
    (0..height).for_each(|y| take(ramps(width, |x| view.luma.at(y, x)), &|x| (y, x)));
    (0..width).for_each(|x| take(ramps(height, |y| view.luma.at(y, x)), &|y| (y, x)));
    let value = if n == 0 { width as f64 } else { total as f64 / f64::from(n) };
    Measured { value, map }
}

#[derive(Debug, PartialEq)]
struct Ramp {
    start: usize,
    width: usize,
}

/// The monotonous stretches of a line that hold a strong step.
fn ramps(len: usize, at: impl Fn(usize) -> f64) -> Vec<Ramp> {
    let mut found = Vec::new();
    let mut start = 0;
    while start + 1 < len {
        let sign = (at(start + 1) - at(start)).signum();
        if at(start + 1) == at(start) {
            start += 1;
            continue;
        }
        let mut end = start + 1;
        let mut steepest = (at(end) - at(start)).abs();
        while end + 1 < len && (at(end + 1) - at(end)) * sign > 0.0 {
            steepest = steepest.max((at(end + 1) - at(end)).abs());
            end += 1;
        }
        if steepest >= STEP {
            found.push(Ramp { start, width: end - start });
        }
        start = end;
    }
    found
}

/// Share of the change of color that lies off the edges of luma, at the half of the pixels with the
/// weaker slope. Little color draws it to 0.43, the median of camera pictures. Color and luminance
/// edges of natural scenes are independent (Hansen and Gegenfurtner 2009, "Independence of color
/// and luminance edges in natural scenes"). The map is the change of color at the other half.
pub(super) fn color_off_edges(view: &View) -> Measured {
    let [cb, cr] = view.chroma.each_ref().map(|plane| {
        let [right, down] = slopes(plane);
        right.zip(&down, f64::hypot)
    });
    let change = cb.zip(&cr, f64::hypot);
    let median = view.gradient.quantile(0.5) - TIE;
    let map = change.zip(&view.gradient, |c, g| if g < median { 0.0 } else { c });
    let (all, on_edges) = (change.sum(), map.sum());
    Measured { value: (all - on_edges + 256.0 * 0.43) / (all + 256.0), map }
}

/// Steps of luma across the borders of JPEG's blocks of 8, over those elsewhere. The source is
/// Wang, Sheikh and Bovik 2002, "No-reference perceptual quality assessment of JPEG compressed
/// images".
pub(super) fn blockiness(view: &View) -> Measured {
    let mut map = view.luma.map(|_| 0.0);
    let (mut border, mut inside, mut n_border, mut n_inside) = (0.0, 0.0, 0.0, 0.0);
    let mut take = |step: f64, at: usize, (y, x): (usize, usize)| {
        if at % 8 == 7 {
            (border, n_border) = (border + step.abs(), n_border + 1.0);
            map.add(y, x, step.abs());
        } else {
            (inside, n_inside) = (inside + step.abs(), n_inside + 1.0);
        }
    };
    let across = view.luma.steps();
    let down = view.luma.transposed().steps();
    for y in 0..across.height {
        (0..across.width).for_each(|x| take(across.at(y, x), x, (y, x)));
    }
    for x in 0..down.height {
        (0..down.width).for_each(|y| take(down.at(x, y), y, (y, x)));
    }
    Measured { value: (0.5 + border / n_border) / (0.5 + inside / n_inside), map }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{assert_near, colored, gray, step};
    use super::*;

    #[test]
    fn a_step_within_a_pixel_has_twice_its_slope_as_second_derivative() {
        // 64 pixels of slope 50 and second derivative 100.
        let across = 100.0 * 2500.0 / 2501.0;
        assert_near(edge_aliasing(&step()).value, 64.0 * across / (64.0 * 50.0 + 1.0));
        // Over two pixels: slopes 25, 50, 25, second derivatives 50, 0, 50.
        let soft = gray(|_, x| [0, 50, 100][x.saturating_sub(15).min(2)]);
        let across = 50.0 * 625.0 / 626.0;
        assert_near(edge_aliasing(&soft).value, 64.0 * across / (32.0 * 100.0 + 1.0));
    }

    #[test]
    fn what_swings_back_counts_as_a_share_of_the_steps() {
        // In each row the step of 100 stands in two pairs, in one of them before a return of 20.
        let halo = gray(|_, x| if x < 16 { 0 } else { 80 + 20 * u8::from(x == 16) });
        let found = edge_overshoot(&halo);
        assert_near(found.value, 32.0 * 20.0 / (32.0 * 200.0 + 20.0));
        assert_near(found.map.at(5, 16), 20.0);
        assert_near(edge_overshoot(&step()).value, 0.0);
    }

    #[test]
    fn widths_are_counted_from_end_to_end() {
        assert_near(edge_width(&step()).value, 1.0);
        let soft = edge_width(&gray(|_, x| [0, 50, 100][x.saturating_sub(15).min(2)]));
        assert_near(soft.value, 2.0);
        assert_near(soft.map.at(9, 16), 1.0 / 6.0);
        assert_near(edge_width(&gray(|_, _| 9)).value, 32.0);
    }

    #[test]
    fn a_row_and_its_mirror_image_have_the_same_edges() {
        for (row, expected) in [
            (vec![0.0, 0.0, 100.0, 100.0], vec![1]),
            (vec![20.0, 0.0, 0.0, 100.0, 100.0], vec![1, 1]),
            (vec![0.0, 20.0, 60.0, 60.0], vec![2]),
            (vec![5.0, 5.0, 5.0], vec![]),
        ] {
            let widths = |at: &dyn Fn(usize) -> f64| -> Vec<usize> {
                ramps(row.len(), at).iter().map(|ramp| ramp.width).collect()
            };
            let forward = widths(&|i| row[i]);
            let mut backward = widths(&|i| row[row.len() - 1 - i]);
            backward.reverse();
            assert_eq!((&forward, &backward), (&expected, &expected), "{row:?}");
        }
    }

    #[test]
    fn color_that_changes_at_edges_alone_is_not_off_them() {
        // Black to blue of 100: luma 11.4, Cb 0.564 x 88.6, Cr -0.713 x 11.4, half of it a pixel.
        let view = colored(|_, x| [0, 0, if x < 16 { 0 } else { 100 }]);
        let change = 64.0 * 0.5 * f64::hypot(0.564 * 88.6, 0.713 * 11.4);
        assert_near(color_off_edges(&view).value, 256.0 * 0.43 / (change + 256.0));
        assert_near(color_off_edges(&gray(|_, _| 7)).value, 0.43);
    }

    #[test]
    fn a_step_at_a_block_border_is_blocky() {
        // 32 of the 192 steps across borders are 100.
        assert_near(blockiness(&step()).value, (0.5 + 3200.0 / 192.0) / 0.5);
        let aside = gray(|_, x| if x < 13 { 0 } else { 100 });
        assert!(blockiness(&aside).value < 1.0);
    }
}
