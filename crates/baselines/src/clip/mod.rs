//! Detectors on the embedding of CLIP's vision tower, which stays as it was published: UnivFD (Ojha et al. 2023,
//! arXiv 2302.10174) with a linear head, and an MLP.

mod config;
mod detector;
mod fit;
mod import;
mod pretrained;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use cifake::Familiarity;
use cifake::weights::{Configured, draw_weights};
use cifake_kernels::relu;
use cifake_vit::{RowMap, Vit, resize_bicubic};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};

pub use config::{ClipConfig, Fit};
pub use detector::{ClipClassifier, clip_loader};
pub use fit::HeadTraining;
pub(crate) use import::IMPORT as CLIP;

/// A vision tower and a head with one logit of FAKE.
///
/// The head reads the tower's projected embedding without normalization: 768 values of a ViT-L/14.
#[derive(Module, Debug)]
pub struct ClipDetector {
    /// Pixels to embedding.
    pub tower: Vit,
    /// Linear layers with a ReLU between two.
    pub head: Vec<Linear>,
    #[module(skip)]
    fit: Fit,
}

impl Configured for ClipDetector {
    type Config = ClipConfig;

    const KEY: &'static str = "clip_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &ClipConfig) -> Result<(), String> {
        config.validate()
    }

    fn n_values(config: &ClipConfig) -> u64 {
        let layer =
            |pair: &[usize]| (pair[0] as u64).saturating_add(1).saturating_mul(pair[1] as u64);
        let head = config.widths().windows(2).map(layer).fold(0, u64::saturating_add);
        config.tower.n_values().saturating_add(head)
    }

    /// Those of the tower, and the picture at both sizes.
    fn activation_bytes(config: &ClipConfig) -> u64 {
        let side = config.side.max(config.tower.side) as u64;
        let pictures = side.saturating_mul(side).saturating_mul(4 * 3 * 4);
        config.tower.activation_bytes().saturating_add(pictures)
    }

    fn build(config: &ClipConfig, device: &Device) -> Self {
        let layer = |pair: &[usize]| LinearConfig::new(pair[0], pair[1]).init(device);
        Self {
            tower: config.tower.build(device),
            head: config.widths().windows(2).map(layer).collect(),
            fit: config.fit,
        }
    }
}

impl ClipDetector {
    /// A detector of a valid `config` around `tower` with a head drawn from `seed`, uniform in `±1 / sqrt(inputs)`
    /// as PyTorch's linear layers.
    #[must_use]
    pub fn around(tower: Vit, config: &ClipConfig, seed: u64, device: &Device) -> Self {
        let rule = |inputs: usize| {
            let bound = (inputs as f32).powf(-0.5);
            Uniform::new_inclusive(-bound, bound).expect("a positive bound")
        };
        let layer = |(at, pair): (usize, &[usize])| {
            let uniform = rule(pair[0]);
            let linear = LinearConfig::new(pair[0], pair[1]).init(device);
            draw_weights(linear, seed.wrapping_add(at as u64), |_, shape, rng| {
                let n = shape.iter().product();
                Some((0..n).map(|_| uniform.sample::<ChaCha8Rng>(rng)).collect())
            })
        };
        let head = config.widths().windows(2).enumerate().map(layer).collect();
        Self { tower, head, fit: config.fit }
    }

    /// The tower's embedding of `images`, `[batch, dim]`, without normalization.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`.
    #[must_use]
    pub fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        let side = self.tower.config().side;
        self.tower.forward(match self.fit {
            Fit::Resize if images.dims()[2..] == [side, side] => images,
            Fit::Resize => resize_bicubic(images, side).clamp(0.0, 1.0),
            Fit::CenterCrop => center_crop(images, side),
        })
    }

    /// The logits of FAKE of embeddings, `[batch, 1]`.
    #[must_use]
    pub fn judge(&self, embeddings: Tensor<2>) -> Tensor<2> {
        judge(&self.head, embeddings)
    }
}

fn judge(head: &[Linear], embeddings: Tensor<2>) -> Tensor<2> {
    let mut layers = head.iter();
    let first = layers.next().map(|layer| layer.map_rows(embeddings.clone()));
    let rest = |x, layer: &Linear| layer.map_rows(relu(x));
    layers.fold(first.unwrap_or(embeddings), rest)
}

/// The middle `side` x `side` of `images`; what is missing is 0. As torchvision's `CenterCrop`.
fn center_crop(images: Tensor<4>, side: usize) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    let [tall, wide] = [height.max(side), width.max(side)];
    let (above, left) = ((tall - height) / 2, (wide - width) / 2);
    let padding = [(above, tall - height - above), (left, wide - width - left)];
    let padded = if [tall, wide] == [height, width] { images } else { images.pad(padding, 0.0) };
    // torchvision rounds halves to even.
    let start = |size: usize| {
        let spare = size - side;
        spare / 2 + usize::from(spare % 4 == 3)
    };
    padded.narrow(2, start(tall), side).narrow(3, start(wide), side)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;

    use super::*;

    fn ramp(height: usize, width: usize) -> Tensor<4> {
        let ramp = Tensor::<1, Int>::arange(0..(height * width) as i64, &Device::flex()).float();
        (ramp + 1.0).reshape([1, 1, height, width])
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().expect("floats")
    }

    /// The expected numbers are those of torchvision 0.29.2.
    #[test]
    fn the_middle_is_torchvisions() {
        assert_eq!(values(center_crop(ramp(1, 1), 3)), [0., 0., 0., 0., 1., 0., 0., 0., 0.]);
        assert_eq!(values(center_crop(ramp(1, 1), 2)), [1., 0., 0., 0.]);
        assert_eq!(values(center_crop(ramp(3, 3), 1)), [5.0]);
        assert_eq!(values(center_crop(ramp(4, 4), 1)), [11.0]);
        assert_eq!(values(center_crop(ramp(2, 2), 1)), [1.0]);
        assert_eq!(values(center_crop(ramp(4, 1), 2)), [2., 0., 3., 0.]);
    }

    #[test]
    fn of_a_small_picture_almost_all_is_black() {
        let cropped = center_crop(Tensor::ones([1, 3, 32, 32], &Device::flex()), 224);
        let white = cropped.mean().into_scalar::<f32>();
        assert!((white - 32.0 * 32.0 / (224.0 * 224.0)).abs() < 1e-6);
    }

    #[test]
    fn the_formula_counts_what_a_network_holds_and_nonsense_is_refused() {
        let mut config = ClipConfig::original();
        config.tower = cifake_vit::VitConfig { side: 8, patch: 4, dim: 8, ..config.tower };
        config.tower = cifake_vit::VitConfig { depth: 1, n_heads: 2, d_mlp: 8, ..config.tower };
        let built = ClipDetector::build(&config, &Device::flex());
        assert_eq!(ClipDetector::n_values(&config), built.num_params() as u64);
        assert_eq!(config.widths(), [512, 128, 32, 1]);
        assert_eq!(ClipConfig::univfd().widths(), [768, 1]);
        for config in [ClipConfig::univfd(), ClipConfig::original()] {
            assert_eq!(ClipDetector::validate(&config), Ok(()));
            let broken = [
                ClipConfig { side: 0, ..config.clone() },
                ClipConfig { hidden: vec![0], ..config.clone() },
                ClipConfig { hidden: vec![usize::MAX; 9], ..config.clone() },
            ];
            for broken in broken {
                assert!(ClipDetector::validate(&broken).is_err(), "{broken:?}");
                let _ = (ClipDetector::n_values(&broken), ClipDetector::activation_bytes(&broken));
            }
        }
    }
}
