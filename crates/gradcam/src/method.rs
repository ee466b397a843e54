//! Methods that turn the activations of a layer and their gradients into a map, sample by sample.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Rounds of the power iteration, many more than a principal component needs.
const ROUNDS: usize = 200;

/// A method of class activation mapping. The crate's documentation names the papers.
///
/// The default is [`HiResCam`](Self::HiResCam). It had the best mean rank over deletion, insertion
/// and ROAD on validation pictures of CIFAKE with the shipped detector. For another detector,
/// [`faithfulness`](crate::faithfulness()) tells which method fits.
///
/// `Display` gives the name of the paper; `FromStr` accepts it in any case, with or without hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// Channels weighted by their mean gradient.
    GradCam,
    /// Channels weighted by their positive gradients, large gradients more than small ones.
    GradCamPlusPlus,
    /// Every activation weighted by its own gradient. With a linear head this is exactly the part of
    /// the score that comes from each place.
    #[default]
    HiResCam,
    /// Every activation weighted by the positive part of its own gradient.
    LayerCam,
    /// Channels weighted by their gradient, averaged by activation.
    XGradCam,
    /// The first principal component of the activations. It ignores the target.
    EigenCam,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::GradCam,
        Self::GradCamPlusPlus,
        Self::HiResCam,
        Self::LayerCam,
        Self::XGradCam,
        Self::EigenCam,
    ];

    /// The method's name as its paper writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GradCam => "Grad-CAM",
            Self::GradCamPlusPlus => "Grad-CAM++",
            Self::HiResCam => "HiResCAM",
            Self::LayerCam => "LayerCAM",
            Self::XGradCam => "XGrad-CAM",
            Self::EigenCam => "EigenCAM",
        }
    }

    /// Whether the map depends on the target.
    #[must_use]
    pub fn needs_gradients(self) -> bool {
        self != Self::EigenCam
    }

    /// The map of one sample before scaling, without negative values: `activations` and `gradients` are
    /// `[channels, n_places]`.
    pub(crate) fn map(self, activations: &[f32], gradients: &[f32], n_places: usize) -> Vec<f32> {
        let channels = || activations.chunks_exact(n_places).zip(gradients.chunks_exact(n_places));
        let mut map = vec![0.0f64; n_places];
        if self == Self::EigenCam {
            map = principal_component(activations, n_places);
        } else {
            for (a, g) in channels() {
                self.add_channel(&mut map, a, g);
            }
        }
        map.into_iter().map(|x| x.max(0.0) as f32).collect()
    }

    /// Adds the contribution of one channel to `map`.
    fn add_channel(self, map: &mut [f64], activations: &[f32], gradients: &[f32]) {
        let pairs =
            || activations.iter().zip(gradients).map(|(a, g)| (f64::from(*a), f64::from(*g)));
        let n_places = activations.len() as f64;
        let weight = match self {
            Self::GradCam => pairs().map(|(_, g)| g).sum::<f64>() / n_places,
            Self::GradCamPlusPlus => {
                let total: f64 = pairs().map(|(a, _)| a).sum();
                let alpha = |g: f64| match g {
                    0.0 => 0.0,
                    _ => g * g / (2.0 * g * g + total * g * g * g + 1e-6),
                };
                pairs().map(|(_, g)| g.max(0.0) * alpha(g)).sum()
            }
            Self::XGradCam => {
                let total: f64 = pairs().map(|(a, _)| a).sum();
                pairs().map(|(a, g)| a * g).sum::<f64>() / (total + 1e-7)
            }
            Self::HiResCam => {
                map.iter_mut().zip(pairs()).for_each(|(m, (a, g))| *m += a * g);
                return;
            }
            Self::LayerCam => {
                map.iter_mut().zip(pairs()).for_each(|(m, (a, g))| *m += a * g.max(0.0));
                return;
            }
            Self::EigenCam => return,
        };
        map.iter_mut().zip(pairs()).for_each(|(m, (a, _))| *m += weight * a);
    }
}

/// The places, projected onto the first principal component of the channels. Each channel is centered
/// first. The sign is chosen so that the largest projection is positive.
fn principal_component(activations: &[f32], n_places: usize) -> Vec<f64> {
    let centered: Vec<Vec<f64>> = activations
        .chunks_exact(n_places)
        .map(|channel| {
            let mean = channel.iter().map(|x| f64::from(*x)).sum::<f64>() / n_places as f64;
            channel.iter().map(|x| f64::from(*x) - mean).collect()
        })
        .collect();
    // Power iteration on the places' side: u <- A' A u, with A the channels by places.
    let mut u: Vec<f64> = (0..n_places).map(|i| 1.0 + (i as f64 * 0.7).sin()).collect();
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; n_places];
        for channel in &centered {
            let product: f64 = channel.iter().zip(&u).map(|(c, u)| c * u).sum();
            next.iter_mut().zip(channel).for_each(|(n, c)| *n += product * c);
        }
        let size = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        if size == 0.0 {
            return vec![0.0; n_places];
        }
        u = next.into_iter().map(|x| x / size).collect();
    }
    // The projection of place i is s u_i, with s the singular value.
    let products = centered.iter().map(|c| c.iter().zip(&u).map(|(c, u)| c * u).sum::<f64>());
    let singular = products.map(|p| p * p).sum::<f64>().sqrt();
    let far = u.iter().copied().fold(0.0f64, |far, x| if x.abs() > far.abs() { x } else { far });
    u.into_iter().map(|x| x * singular * far.signum()).collect()
}

/// A text that is not the name of a [`Method`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown method {name:?}; the methods are {}", Method::ALL.map(Method::as_str).join(", "))]
pub struct UnknownMethod {
    /// The text.
    pub name: String,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
        let found = Self::ALL.into_iter().find(|method| plain(method.as_str()) == plain(name));
        found.ok_or_else(|| UnknownMethod { name: name.chars().take(40).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_understood_as_people_write_them() {
        for method in Method::ALL {
            assert_eq!(method.to_string().parse(), Ok(method));
        }
        assert_eq!("gradcam".parse(), Ok(Method::GradCam));
        assert_eq!("Grad-CAM++".parse(), Ok(Method::GradCamPlusPlus));
        let error = "saliency".parse::<Method>().expect_err("another kind of map");
        assert!(error.to_string().contains("EigenCAM"), "{error}");
    }

    /// The numbers of captum's own test of layer Grad-CAM: two filters of ones over the pixels 0 to
    /// 15, whose gradients come from max pooling, one place each.
    #[test]
    fn grad_cam_gives_captums_numbers() {
        let activations = [45.0, 54.0, 81.0, 90.0, 45.0, 54.0, 81.0, 90.0];
        let gradients = [0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.5];
        let map = Method::GradCam.map(&activations, &gradients, 4);
        assert_eq!(map, [11.25, 13.5, 20.25, 22.5]);
    }

    #[test]
    fn a_linear_head_is_told_exactly_by_hires_cam() {
        let (activations, gradients) = ([1.0, -2.0, 3.0, 0.5], [0.5, -1.0, 2.0, -4.0]);
        assert_eq!(Method::HiResCam.map(&activations, &gradients, 4), [0.5, 2.0, 6.0, 0.0]);
        assert_eq!(Method::LayerCam.map(&activations, &gradients, 4), [0.5, 0.0, 6.0, 0.0]);
    }

    #[test]
    fn without_gradients_there_is_no_map() {
        let activations = [1.0, 2.0, 3.0, 4.0];
        for method in Method::ALL.into_iter().filter(|method| method.needs_gradients()) {
            assert_eq!(method.map(&activations, &[0.0; 4], 4), [0.0; 4], "{method:?}");
        }
    }

    #[test]
    fn the_component_of_one_channel_is_the_channel() {
        let map = Method::EigenCam.map(&[1.0, 2.0, 3.0, 6.0], &[0.0; 4], 4);
        // Centred: -2, -1, 0, 3.
        for (ours, exact) in map.iter().zip([0.0, 0.0, 0.0, 3.0]) {
            assert!((ours - exact).abs() < 1e-6, "{map:?}");
        }
        assert_eq!(Method::EigenCam.map(&[2.0; 4], &[0.0; 4], 4), [0.0; 4]);
    }
}
