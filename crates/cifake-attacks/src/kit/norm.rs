//! The l2 and linf balls: random points, steps, sizes and projection.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::random::SampleRng;
use super::tensor::{column, values};
use crate::{Epsilon, Error};

/// Below this a gradient has no direction.
const TINY: f64 = 1e-12;

/// The norm of a perturbation, over all values of a picture.
///
/// ```
/// use cifake_attacks::Norm;
///
/// assert_eq!("linf".parse::<Norm>()?, Norm::Linf);
/// assert_eq!(Norm::L2.to_string(), "l2");
/// # Ok::<(), cifake_attacks::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Root of the sum of squares.
    L2,
    /// Largest absolute value.
    Linf,
}

impl std::fmt::Display for Norm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::L2 => "l2",
            Self::Linf => "linf",
        })
    }
}

impl std::str::FromStr for Norm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "l2" => Ok(Self::L2),
            "linf" => Ok(Self::Linf),
            _ => Err(Error::UnknownNorm { name: name.to_owned() }),
        }
    }
}

impl Norm {
    /// Size of each row of `delta`, `[batch, channels, height, width]`.
    #[must_use]
    pub fn sizes(self, delta: Tensor<4>) -> Vec<f32> {
        values(self.size_column(delta))
    }

    /// Size of one perturbation, given as its values.
    #[must_use]
    pub fn size(self, values: impl Iterator<Item = f32>) -> f32 {
        match self {
            Self::L2 => values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt() as f32,
            Self::Linf => values.fold(0.0, |max, x| max.max(x.abs())),
        }
    }

    fn size_column(self, delta: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = delta.dims();
        let flat = delta.reshape([batch, channels * height * width]);
        let sizes = match self {
            Self::L2 => flat.square().sum_dim(1).sqrt(),
            Self::Linf => flat.abs().max_dim(1),
        };
        sizes.reshape([batch, 1, 1, 1])
    }

    /// The ball of radius `epsilon` in words, for an attack's name: `linf 2/255`.
    #[must_use]
    pub fn ball(self, epsilon: Epsilon) -> String {
        match self {
            Self::L2 => format!("l2 {}", epsilon.value()),
            Self::Linf => format!("linf {epsilon}"),
        }
    }

    /// A radius slightly below `epsilon`, for [`project`](Self::project): a perturbation within it
    /// stays inside `epsilon` after rounding to f32.
    ///
    /// Rounding moves a value of a picture by at most `2^-25`. It moves the l2 size by a few times
    /// that, since the errors of many values are independent.
    #[must_use]
    pub fn reach(self, epsilon: Epsilon) -> f64 {
        let slack = match self {
            Self::L2 => 2.0,
            Self::Linf => 0.5,
        };
        (epsilon.value() - slack * f64::from(f32::EPSILON)).max(0.0)
    }

    /// A perturbation of `len` values, uniform in the ball of radius `epsilon`.
    #[must_use]
    pub fn draw(self, rng: &mut SampleRng, len: usize, epsilon: f64) -> Vec<f32> {
        match self {
            Self::Linf => rng.uniform(len, epsilon as f32),
            Self::L2 => {
                // The first `len` of `len + 2` coordinates of a point on the sphere are uniform in
                // the ball (Voelker et al. 2017).
                let mut point = rng.normal(len + 2);
                let size = point.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                point.truncate(len);
                let scale = (epsilon / size.max(TINY)) as f32;
                point.iter_mut().for_each(|x| *x *= scale);
                point
            }
        }
    }

    /// The direction of steepest ascent for each row of `gradient`, of size 1.
    ///
    /// It is zero where the gradient is zero. A value that is not finite counts as zero under l2.
    #[must_use]
    pub fn steepest(self, gradient: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Linf => gradient.sign(),
            Self::L2 => {
                // A value that is not finite has no direction.
                let finite = gradient.clone().is_finite();
                let gradient = gradient.zeros_like().mask_where(finite, gradient);
                let size = self.size_column(gradient.clone()).clamp_min(TINY);
                gradient / size
            }
        }
    }

    /// `images` projected onto the ball of radius `epsilon` around `origin`, then clamped to
    /// `[0, 1]`.
    #[must_use]
    pub fn project(self, images: Tensor<4>, origin: &Tensor<4>, epsilon: f64) -> Tensor<4> {
        let delta = images - origin.clone();
        let inside = match self {
            Self::Linf => delta.clamp(-epsilon, epsilon),
            Self::L2 => {
                let sizes = self.sizes(delta.clone());
                // Clamping never makes a perturbation larger, since the origin is inside the range.
                let shrink = |size: &f32| match f64::from(*size) {
                    size if size > epsilon => (epsilon / size) as f32,
                    _ => 1.0,
                };
                let factors = column(sizes.iter().map(shrink).collect(), origin);
                delta * factors
            }
        };
        (origin.clone() + inside).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn picture(values: Vec<f32>) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values, [1, 3, 1, 2]), &Device::flex())
    }

    #[test]
    fn sizes_are_those_of_the_formula() {
        let delta = picture(vec![0.0, 3.0, 0.0, -4.0, 0.0, 0.0]);
        assert_eq!(Norm::L2.sizes(delta.clone()), [5.0]);
        assert_eq!(Norm::Linf.sizes(delta), [4.0]);
    }

    #[test]
    fn draws_fill_the_ball() {
        for norm in [Norm::L2, Norm::Linf] {
            let sizes: Vec<f32> = (0..400)
                .map(|id| {
                    let drawn = norm.draw(&mut SampleRng::new(1, id, 0), 6, 0.5);
                    norm.sizes(picture(drawn))[0]
                })
                .collect();
            assert!(sizes.iter().all(|&size| size <= 0.5 * (1.0 + 1e-6)));
            // Uniform in six dimensions: the share within radius r is r^6, its median 0.89 of it.
            let mut sorted = sizes;
            sorted.sort_by(f32::total_cmp);
            let median = f64::from(sorted[200]) / 0.5;
            assert!((median - 0.5f64.powf(1.0 / 6.0)).abs() < 0.03, "{norm}: {median}");
        }
    }

    #[test]
    fn projection_keeps_what_is_inside_and_the_range() {
        let origin = picture(vec![0.5, 0.5, 0.5, 0.5, 0.5, 1.0]);
        for norm in [Norm::L2, Norm::Linf] {
            let near = origin.clone() - 0.01;
            let kept = norm.project(near.clone(), &origin, 0.1);
            assert!(norm.sizes(kept - near)[0] < 1e-6);
            let far = norm.project(origin.clone() + 0.4, &origin, 0.1);
            assert!(norm.sizes(far.clone() - origin.clone())[0] <= 0.1 * (1.0 + 1e-6));
            assert!(values(far).iter().all(|&x| (0.0..=1.0).contains(&x)));
        }
    }

    #[test]
    fn a_gradient_that_is_no_number_leaves_the_others_their_direction() {
        let broken = picture(vec![f32::NAN, 3.0, f32::INFINITY, -4.0, 0.0, 0.0]);
        assert_eq!(values(Norm::L2.steepest(broken)), [0.0, 0.6, 0.0, -0.8, 0.0, 0.0]);
    }

    #[test]
    fn a_zero_gradient_has_no_direction() {
        let zero = picture(vec![0.0; 6]);
        for norm in [Norm::L2, Norm::Linf] {
            assert_eq!(values(norm.steepest(zero.clone())), [0.0; 6]);
        }
    }
}
