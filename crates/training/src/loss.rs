//! Cross-entropy on one logit or two, with soft targets, and the divergence of two answers.

use burn::tensor::{Device, Tensor, TensorData, activation};
use cifake::class_scores;

/// Mean cross-entropy of scores `[batch, 1 or 2]` against the probability of FAKE of each sample.
///
/// One logit `z` is `[0, z]`: binary cross-entropy. Targets move towards one half by `smoothing`.
pub(crate) fn cross_entropy(scores: Tensor<2>, targets: &[f32], smoothing: f64) -> Tensor<1> {
    let smooth = |t: &f32| t * (1.0 - smoothing as f32) + smoothing as f32 / 2.0;
    let fake: Vec<f32> = targets.iter().map(smooth).collect();
    match scores.dims() {
        [batch, 1] => {
            let scores = scores.reshape([batch]);
            let fake = column(fake, &scores.device());
            // softplus(z) - t z; the first term by way of |z|, so that exp cannot overflow.
            let softplus =
                ((scores.clone().abs().neg().exp() + 1.0).log()) + scores.clone().clamp_min(0.0);
            (softplus - scores * fake).mean()
        }
        [batch, _] => {
            let real: Vec<f32> = fake.iter().map(|t| 1.0 - t).collect();
            let device = scores.device();
            let pair = [column(real, &device), column(fake, &device)];
            let targets = Tensor::stack::<2>(pair.to_vec(), 1);
            (activation::log_softmax(scores, 1) * targets).sum().neg() / batch as f32
        }
    }
}

/// Mean Kullback-Leibler divergence of the answers to attacked pictures from those to clean ones,
/// each `[batch, 1 or 2]`.
pub(crate) fn divergence(clean: Tensor<2>, attacked: Tensor<2>) -> Tensor<1> {
    let [batch, _] = clean.dims();
    let [clean, attacked] =
        [clean, attacked].map(|scores| activation::log_softmax(class_scores(scores), 1));
    (clean.clone().exp() * (clean - attacked)).sum() / batch as f32
}

/// Mean Kullback-Leibler divergence of `student`, `[batch, 1 or 2]`, from `teacher`, `[batch, 2]`, both
/// divided by `temperature`, times its square.
pub(crate) fn distillation(teacher: Tensor<2>, student: Tensor<2>, temperature: f64) -> Tensor<1> {
    divergence(teacher / temperature, student / temperature) * temperature.powi(2)
}

fn column(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let shape = [values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_logit_is_two_with_the_first_at_zero() {
        let device = Device::flex();
        let one = Tensor::<2>::from_floats([[2.0], [-90.0], [0.5]], &device);
        let two = Tensor::<2>::from_floats([[0.0, 2.0], [0.0, -90.0], [0.0, 0.5]], &device);
        let targets = [1.0, 0.25, 0.0];
        let [a, b] = [one, two].map(|s| cross_entropy(s, &targets, 0.1).into_scalar::<f32>());
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }

    #[test]
    fn the_divergence_is_that_of_two_coins() {
        let scores = |z: f32| Tensor::<2>::from_floats([[z]], &Device::flex());
        let of = |a, b| divergence(scores(a), scores(b)).into_scalar::<f32>();
        // Coins of 1/2 and of 3/4.
        let exact = 0.5 * (0.5f32 / 0.75).ln() + 0.5 * (0.5f32 / 0.25).ln();
        assert!((of(0.0, 3f32.ln()) - exact).abs() < 1e-6);
        assert_eq!(of(2.0, 2.0), 0.0);
    }

    #[test]
    fn a_teacher_at_temperature_one_is_a_soft_target() {
        let device = Device::flex().autodiff();
        let gradient = |loss: &dyn Fn(Tensor<2>) -> Tensor<1>| {
            let scores = Tensor::<2>::from_floats([[1.0], [-2.0]], &device).require_grad();
            let gradient = scores.grad(&loss(scores.clone()).backward());
            let data = gradient.expect("the scores are tracked").into_data();
            data.try_to_vec::<f32>().expect("floats")
        };
        let teacher = Tensor::<2>::from_floats([[0.3, 1.0], [0.0, 0.4]], &device);
        let probability = [0.7f32, 0.4].map(|z| 1.0 / (1.0 + (-z).exp()));
        let taught = gradient(&|scores| distillation(teacher.clone(), scores, 1.0));
        let told = gradient(&|scores| cross_entropy(scores, &probability, 0.0));
        // At another temperature nothing is left of it where both agree, and the size is kept.
        let same = |scores: Tensor<2>| distillation(class_scores(scores.clone()), scores, 4.0);
        assert!(gradient(&|scores| same(scores)).iter().all(|g| g.abs() < 1e-6));
        for (a, b) in taught.iter().zip(&told) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn the_gradient_is_the_probability_less_the_target() {
        let device = Device::flex().autodiff();
        let scores = Tensor::<2>::from_floats([[1.0], [-2.0]], &device).require_grad();
        let loss = cross_entropy(scores.clone(), &[1.0, 0.0], 0.0);
        let gradient = scores.grad(&loss.backward()).expect("the scores are tracked");
        let gradient = gradient.into_data().try_to_vec::<f32>().expect("floats");
        let sigmoid = |z: f32| 1.0 / (1.0 + (-z).exp());
        assert!((gradient[0] - (sigmoid(1.0) - 1.0) / 2.0).abs() < 1e-6);
        assert!((gradient[1] - sigmoid(-2.0) / 2.0).abs() < 1e-6);
    }
}
