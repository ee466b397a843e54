//! Initial weights, as timm draws them.

use burn::tensor::Device;
use cifake::weights::draw_weights;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{Vit, VitConfig};

/// Standard deviation of linear weights and positions, cut at two deviations.
const STD: f32 = 0.02;
/// That of the class token.
const CLASS_STD: f32 = 1e-6;

impl VitConfig {
    /// A network with weights drawn from `seed`, as timm's `VisionTransformer` with its default `weight_init`.
    ///
    /// The patch embedding is uniform in `±1 / sqrt(fan_in)`, PyTorch's default, and its bias is 0.
    #[must_use]
    pub fn draw(&self, seed: u64, device: &Device) -> Vit {
        draw_weights(self.build(device), seed, values)
    }
}

fn values(path: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Option<Vec<f32>> {
    let n = shape.iter().product();
    let mut draw = |value: &mut dyn FnMut(&mut ChaCha8Rng) -> f32| {
        Some((0..n).map(|_| value(rng)).collect::<Vec<f32>>())
    };
    match path {
        _ if path.ends_with(".bias") => Some(vec![0.0; n]),
        "patch_embed.proj.weight" => {
            let bound = (shape[1..].iter().product::<usize>() as f32).powf(-0.5);
            draw(&mut |rng| rng.random_range(-bound..bound))
        }
        "cls_token" => draw(&mut |rng| CLASS_STD * cut_normal(rng)),
        _ if path == "pos_embed" || path.ends_with(".weight") => {
            draw(&mut |rng| STD * cut_normal(rng))
        }
        _ => None,
    }
}

/// A standard normal that is drawn again until it lies within two deviations.
fn cut_normal(rng: &mut ChaCha8Rng) -> f32 {
    let mut draws = StandardNormal.sample_iter(rng);
    draws.find(|x: &f32| x.abs() <= 2.0).expect("most draws lie within two deviations")
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::Tensor;

    use super::*;

    fn small() -> VitConfig {
        let small = VitConfig { dim: 16, n_heads: 2, depth: 2, d_mlp: 24, ..VitConfig::small_32() };
        small.with_side(8)
    }

    #[test]
    fn the_formula_counts_what_a_network_holds() {
        let all = VitConfig { dim: 8, n_heads: 2, depth: 3, ..VitConfig::clip_base32() };
        for config in [
            small(),
            VitConfig { qkv_bias: false, projection: None, ..all.clone() },
            VitConfig { layer_scale: Some(0.1), last_norm: crate::LastNorm::Pooled, ..all },
            VitConfig::small_32(),
        ] {
            let network = config.build(&Device::flex());
            assert_eq!(config.n_values(), network.num_params() as u64, "{config:?}");
        }
        assert_eq!(VitConfig::small_32().n_values() / 10_000, 269);
    }

    #[test]
    fn a_seed_gives_the_same_weights_and_another_seed_others() {
        let weight = |seed| small().draw(seed, &Device::flex()).blocks[1].mlp.fc1.weight.val();
        let values = |seed| weight(seed).into_data().try_to_vec::<f32>().expect("floats");
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
        let deviation = weight(1).square().mean().sqrt().into_scalar::<f32>();
        assert!((deviation / STD - 0.88).abs() < 0.1, "{deviation}");
    }

    #[test]
    fn a_branch_that_is_not_taken_leaves_its_sample_alone() {
        let device = Device::flex();
        let network = small().draw(3, &device);
        let images = Tensor::<1, burn::tensor::Int>::arange(0..2 * 3 * 8 * 8, &device).float();
        let images = (images * 0.37).sin().reshape([2, 3, 8, 8]) * 0.5 + 0.5;
        let kept = || {
            let kept = || Some(Tensor::<1>::from_floats([1.0, 0.0], &device));
            vec![[kept(), kept()], [kept(), kept()]]
        };
        let all = network.forward(images.clone());
        let some = network.forward_train(images.clone(), kept());
        let none = network.pool(network.embed(images.clone()));
        testkit::assert_close(&some.clone().narrow(0, 0, 1), &all.narrow(0, 0, 1), 1e-6, "taken");
        testkit::assert_close(&some.narrow(0, 1, 1), &none.narrow(0, 1, 1), 1e-6, "left out");
    }

    #[test]
    fn configurations_of_nonsense_are_refused() {
        let good = VitConfig::base16();
        for name in VitConfig::PRESETS {
            assert_eq!(VitConfig::preset(name).expect("listed").validate(), Ok(()), "{name}");
        }
        for broken in [
            VitConfig { side: 0, ..good.clone() },
            VitConfig { side: 225, ..good.clone() },
            VitConfig { patch: 0, ..good.clone() },
            VitConfig { dim: usize::MAX, ..good.clone() },
            VitConfig { n_heads: 7, ..good.clone() },
            VitConfig { depth: usize::MAX, ..good.clone() },
            VitConfig { side: 2048, patch: 1, ..good.clone() },
            VitConfig { class_token: false, ..good.clone() },
            VitConfig { epsilon: f64::NAN, ..good.clone() },
            VitConfig { std: [0.0; 3], ..good.clone() },
            VitConfig { drop_path: 1.0, ..good.clone() },
            VitConfig { projection: Some(0), ..good },
        ] {
            assert!(broken.validate().is_err(), "{broken:?}");
            let _ = (broken.n_values(), broken.activation_bytes());
        }
    }
}
