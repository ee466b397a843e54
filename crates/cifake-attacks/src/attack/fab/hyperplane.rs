//! The nearest point of a hyperplane within the box `[0, 1]`, in either norm.

use crate::kit::Norm;

/// The zero set of a linear function: `normal . x + offset = 0`.
pub(super) struct Hyperplane<'a> {
    normal: &'a [f32],
    offset: f64,
}

impl<'a> Hyperplane<'a> {
    /// The hyperplane of the linear function with this value and gradient at `point`.
    pub(super) fn through(point: &[f32], value: f32, gradient: &'a [f32]) -> Self {
        Self { normal: gradient, offset: f64::from(value) - dot(gradient, point) }
    }

    /// The point of the hyperplane within `[0, 1]` that is nearest to `from`. If the hyperplane misses
    /// the box, the point of the box nearest to the hyperplane.
    ///
    /// Every value moves in the direction that closes the gap, at a rate of 1 (linf) or of its
    /// weight (l2), until it meets the box. The closed gap is a piecewise linear function of time.
    pub(super) fn nearest(&self, norm: Norm, from: &[f32]) -> Vec<f32> {
        let gap = -(dot(self.normal, from) + self.offset);
        let side = gap.signum() as f32;
        let rate = |w: f32| match norm {
            Norm::Linf => 1.0,
            Norm::L2 => w.abs(),
        };
        let room = |w: f32, x: f32| if w * side > 0.0 { 1.0 - x } else { x };
        // When each value meets the box.
        let mut walls: Vec<(f64, usize)> = (self.normal.iter().zip(from).enumerate())
            .filter(|(_, (w, _))| **w != 0.0)
            .map(|(i, (&w, &x))| (f64::from(room(w, x)) / f64::from(rate(w)), i))
            .collect();
        walls.sort_by(|a, b| a.0.total_cmp(&b.0));
        let weight = |i: usize| f64::from(self.normal[i].abs());
        let speed_of = |i: usize| weight(i) * f64::from(rate(self.normal[i]));
        let mut speed: f64 = walls.iter().map(|&(_, i)| speed_of(i)).sum();
        let (mut time, mut closed) = (0.0, 0.0);
        for &(wall, i) in &walls {
            let at_wall = closed + speed * (wall - time);
            if at_wall >= gap.abs() && speed > 0.0 {
                break;
            }
            (time, closed) = (wall, at_wall);
            speed -= speed_of(i);
        }
        if closed < gap.abs() && speed > 0.0 {
            time += (gap.abs() - closed) / speed;
        }
        let moved = |(&w, &x): (&f32, &f32)| {
            if w == 0.0 {
                return x;
            }
            let step = (time * f64::from(rate(w))).min(f64::from(room(w, x))) as f32;
            (x + step * (w * side).signum()).clamp(0.0, 1.0)
        };
        self.normal.iter().zip(from).map(moved).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: &[f32], expected: &[f32]) {
        let error = found.iter().zip(expected).fold(0.0f32, |e, (a, b)| e.max((a - b).abs()));
        assert!(error < 1e-6, "{found:?} is not {expected:?}");
    }

    #[test]
    fn without_walls_it_is_the_textbook_projection() {
        // 3 x + 4 y = 2.5 from (0.1, 0.3): the gap is 1.
        let normal = [3.0, 4.0];
        let plane = Hyperplane { normal: &normal, offset: -2.5 };
        let from = [0.1, 0.3];
        assert_near(&plane.nearest(Norm::L2, &from), &[0.1 + 3.0 / 25.0, 0.3 + 4.0 / 25.0]);
        assert_near(&plane.nearest(Norm::Linf, &from), &[0.1 + 1.0 / 7.0, 0.3 + 1.0 / 7.0]);
    }

    #[test]
    fn a_value_that_meets_its_wall_leaves_the_rest_to_the_others() {
        // x - y = 0.8 from (0.5, 0.05): the gap is 0.35, of which y can close 0.05.
        let normal = [1.0, -1.0];
        let plane = Hyperplane { normal: &normal, offset: -0.8 };
        let found = plane.nearest(Norm::Linf, &[0.5, 0.05]);
        assert_near(&found, &[0.8, 0.0]);
        assert_near(&plane.nearest(Norm::L2, &[0.5, 0.05]), &[0.8, 0.0]);
    }

    #[test]
    fn a_plane_outside_the_box_is_approached_as_far_as_it_goes() {
        let normal = [1.0, 1.0];
        let plane = Hyperplane { normal: &normal, offset: -5.0 };
        assert_near(&plane.nearest(Norm::L2, &[0.2, 0.9]), &[1.0, 1.0]);
    }
}
