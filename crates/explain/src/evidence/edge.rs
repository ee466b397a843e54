//! How edges look.

use super::view::{Plane, View, correlation};

/// Least step between two pixels that counts as an edge, in levels.
const STEP: f64 = 12.0;

/// Mean width of the edges of luma along rows and columns, in pixels: from the local minimum to the
/// local maximum around each strong step (Marziliano et al. 2002, "A no-reference perceptual blur
/// metric"). The whole width where there is no edge.
pub(super) fn edge_width(view: &View) -> f64 {
    let ramps = ramps(&view.luma);
    let total: usize = ramps.iter().map(|ramp| ramp.width).sum();
    if ramps.is_empty() { view.luma.width as f64 } else { total as f64 / ramps.len() as f64 }
}

/// Mean share of an edge's height by which luma swings back beyond its ends: the halo that sharpening
/// leaves. 0 where there is no edge.
pub(super) fn overshoot(view: &View) -> f64 {
    let ramps = ramps(&view.luma);
    let total: f64 = ramps.iter().map(|ramp| ramp.swing / ramp.height).sum();
    if ramps.is_empty() { 0.0 } else { total / ramps.len() as f64 }
}

struct Ramp {
    width: usize,
    height: f64,
    /// How far the values behind either end go back.
    swing: f64,
}

/// The monotonous stretches of all rows and columns that hold a strong step.
fn ramps(luma: &Plane) -> Vec<Ramp> {
    let mut found = Vec::new();
    for y in 0..luma.height {
        ramps_of(luma.width, |x| luma.at(y, x), &mut found);
    }
    for x in 0..luma.width {
        ramps_of(luma.height, |y| luma.at(y, x), &mut found);
    }
    found
}

fn ramps_of(len: usize, at: impl Fn(usize) -> f64, found: &mut Vec<Ramp>) {
    let mut start = 0;
    while start + 1 < len {
        let step = at(start + 1) - at(start);
        if step == 0.0 {
            start += 1;
            continue;
        }
        let sign = step.signum();
        let mut end = start + 1;
        let mut steepest = (at(end) - at(start)).abs();
        while end + 1 < len && (at(end + 1) - at(end)) * sign > 0.0 {
            steepest = steepest.max((at(end + 1) - at(end)).abs());
            end += 1;
        }
        if steepest >= STEP {
            let before = if start > 0 { (at(start - 1) - at(start)) * sign } else { 0.0 };
            let after = if end + 1 < len { (at(end) - at(end + 1)) * sign } else { 0.0 };
            let height = (at(end) - at(start)).abs();
            let swing = (before.max(0.0) + after.max(0.0)).min(2.0 * height);
            found.push(Ramp { width: end - start, height, swing });
        }
        start = end;
    }
}

/// Correlation of the gradients of luma and of chroma: where a thing ends, both change (the local
/// relation of luma and chroma edges that demosaicing and compositing break; Wang et al. 2009).
pub(super) fn edge_coherence(view: &View) -> f64 {
    let luma = view.luma.gradient();
    let [cb, cr] = view.chroma.each_ref().map(Plane::gradient);
    let chroma: Vec<f64> = cb.values().iter().zip(cr.values()).map(|(a, b)| a.hypot(*b)).collect();
    correlation(luma.values(), &chroma)
}

/// Natural logarithm of the energy of the gradient in the middle over that around it: a depth of
/// field whose plane is the subject's.
pub(super) fn centre_sharpness(view: &View) -> f64 {
    let gradient = view.luma.gradient();
    let (mut centre, mut border, mut n_centre, mut n_border) = (0.0, 0.0, 0.0, 0.0);
    for y in 0..gradient.height {
        for x in 0..gradient.width {
            let inside = |at: usize, side: usize| at >= side / 4 && at < side - side / 4;
            let energy = gradient.at(y, x).powi(2);
            if inside(y, gradient.height) && inside(x, gradient.width) {
                (centre, n_centre) = (centre + energy, n_centre + 1.0);
            } else {
                (border, n_border) = (border + energy, n_border + 1.0);
            }
        }
    }
    ((1.0 + centre / n_centre) / (1.0 + border / n_border)).ln()
}

/// Steps of luma across the borders of JPEG's blocks of 8, over those elsewhere (Wang, Sheikh and
/// Bovik 2002, "No-reference perceptual quality assessment of JPEG compressed images").
pub(super) fn blockiness(view: &View) -> f64 {
    let [across, down] = view.luma.differences();
    let (mut border, mut inside, mut n_border, mut n_inside) = (0.0, 0.0, 0.0, 0.0);
    let mut add = |step: f64, at: usize| {
        if at % 8 == 7 {
            (border, n_border) = (border + step.abs(), n_border + 1.0);
        } else {
            (inside, n_inside) = (inside + step.abs(), n_inside + 1.0);
        }
    };
    for y in 0..across.height {
        (0..across.width).for_each(|x| add(across.at(y, x), x));
    }
    for y in 0..down.height {
        (0..down.width).for_each(|x| add(down.at(y, x), y));
    }
    (0.5 + border / n_border) / (0.5 + inside / n_inside)
}

#[cfg(test)]
mod tests {
    use super::ramps_of;

    /// Widths and swings of the ramps of `row`, and of its mirror image.
    fn both_ways(row: &[f64]) -> [Vec<(usize, f64)>; 2] {
        let ramps = |row: Vec<f64>| {
            let mut found = Vec::new();
            ramps_of(row.len(), |i| row[i], &mut found);
            found.iter().map(|ramp| (ramp.width, ramp.swing)).collect::<Vec<_>>()
        };
        [ramps(row.to_vec()), ramps(row.iter().rev().copied().collect())]
    }

    #[test]
    fn a_row_and_its_mirror_image_have_the_same_edges() {
        for (row, expected) in [
            (vec![0.0, 0.0, 100.0, 100.0], vec![(1, 0.0)]),
            (vec![20.0, 0.0, 0.0, 100.0, 100.0], vec![(1, 0.0), (1, 0.0)]),
            (vec![10.0, 0.0, 100.0, 90.0], vec![(1, 20.0)]),
            (vec![0.0, 20.0, 60.0, 60.0], vec![(2, 0.0)]),
            (vec![5.0, 5.0, 5.0], vec![]),
        ] {
            let [forward, mut backward] = both_ways(&row);
            backward.reverse();
            assert_eq!((&forward, &backward), (&expected, &expected), "{row:?}");
        }
    }
}
