//! Initial weights, as timm draws them.

use burn::tensor::Device;
use cifake::weights::draw_weights;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::config::TinyVitConfig;
use crate::model::TinyVit;

/// Standard deviation of linear weights, cut at two deviations, as timm's `trunc_normal_`.
const LINEAR_STD: f32 = 0.02;

impl TinyVitConfig {
    /// Builds the model with random weights, drawn from `seed` on the host so that every device
    /// starts from the same numbers.
    #[must_use]
    pub fn init(&self, seed: u64, device: &Device) -> TinyVit {
        initialize(TinyVit::new(self, device), seed)
    }
}

/// Draws every weight of a fresh model from a seed and the weight's own path.
///
/// Linear weights are truncated normals; convolutions are uniform in `±1/sqrt(fan_in)`, PyTorch's
/// default; the last normalization of an MBConv starts at 0, so that the block starts as identity
/// (all as timm). Everything else keeps its constant.
fn initialize(model: TinyVit, seed: u64) -> TinyVit {
    draw_weights(model, seed, values)
}

fn values(path: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Option<Vec<f32>> {
    let n_values = shape.iter().product();
    if path.ends_with("conv.weight") {
        let fan_in: usize = shape[1..].iter().product();
        let bound = (1.0 / fan_in as f32).sqrt();
        return Some((0..n_values).map(|_| rng.random_range(-bound..bound)).collect());
    }
    if path.ends_with("conv3.bn.gamma") && path.contains("stages.0.blocks.") {
        return Some(vec![0.0; n_values]);
    }
    if path.ends_with(".bias") {
        return Some(vec![0.0; n_values]);
    }
    if path.ends_with(".weight") {
        return Some((0..n_values).map(|_| LINEAR_STD * truncated_normal(rng)).collect());
    }
    None
}

/// A standard normal, drawn anew until it lies within two deviations.
fn truncated_normal(rng: &mut impl RngExt) -> f32 {
    loop {
        // Box-Muller; 1 - u lies in (0, 1].
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let value = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
        if value.abs() <= 2.0 {
            return value as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_weights_and_another_seed_others() {
        let weight = |seed: u64| {
            let model = TinyVitConfig::native().init(seed, &Device::flex());
            let tensor = model.stages.1.blocks[0].mlp.fc1.weight.val();
            tensor.into_data().try_to_vec::<f32>().expect("a float tensor holds floats")
        };
        assert_eq!(weight(1), weight(1));
        assert_ne!(weight(1), weight(2));
        let variance = weight(1).iter().map(|x| x * x).sum::<f32>() / weight(1).len() as f32;
        assert!((variance.sqrt() / LINEAR_STD - 0.88).abs() < 0.01, "{variance}");
    }
}
