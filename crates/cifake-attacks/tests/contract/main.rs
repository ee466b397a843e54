//! The promises of every attack, and the results that some must reach where the answer is known.

mod model;
mod properties;

use cifake::{Classifier, Label, rgb8_from_tensor};
use cifake_attacks::{
    Apgd, Attack, Band, Corruption, DctNoise, Ensemble, Epsilon, Error, Fab, Goal, Loss, Norm,
    OnePixel, Pgd, PixelNoise, RandomNoise, Samples, Square, TargetModel,
};

use model::{HEIGHT, Linear, Network, WIDTH, samples, values};

/// A rounding error of f32 on top of the radius.
const SLACK: f32 = 1e-6;
/// Half a level of a byte.
const ROUNDING: f32 = 0.5 / 255.0;

fn epsilon(value: f64) -> Epsilon {
    Epsilon::new(value).expect("finite")
}

/// Every attack that promises a ball, at a radius.
fn bounded(radius: f64) -> Vec<(Norm, Box<dyn Attack>)> {
    let radius = epsilon(radius);
    let mut attacks: Vec<(Norm, Box<dyn Attack>)> = vec![
        (Norm::Linf, Box::new(Pgd::fgsm(radius))),
        (Norm::Linf, Box::new(Pgd::bim(radius, 4))),
        (Norm::Linf, Box::new(Pgd::mi_fgsm(radius, 4))),
        (Norm::L2, Box::new(Pgd::dct(radius, Band::low()))),
    ];
    for norm in [Norm::L2, Norm::Linf] {
        attacks.push((norm, Box::new(Pgd::new(norm, radius).with_restarts(2))));
        attacks.push((norm, Box::new(Pgd::new(norm, radius).with_early_stop())));
        attacks.push((norm, Box::new(Apgd::new(norm, radius).with_steps(20))));
        attacks.push((norm, Box::new(Fab::new(norm, radius).with_steps(10))));
        attacks.push((norm, Box::new(Square::new(norm, radius).with_queries(60))));
        attacks.push((norm, Box::new(RandomNoise::new(norm, radius).with_tries(5))));
        let parts: Vec<Box<dyn Attack>> = vec![
            Box::new(Pgd::new(norm, radius).with_steps(3)),
            Box::new(Square::new(norm, radius).with_queries(20)),
        ];
        attacks.push((norm, Box::new(Ensemble::new("both", Goal::Untargeted, parts))));
    }
    attacks
}

/// Those that promise none.
fn unbounded() -> Vec<Box<dyn Attack>> {
    let mut attacks: Vec<Box<dyn Attack>> = vec![
        Box::new(OnePixel::new().with_pixels(2).with_budget(8, 3)),
        Box::new(PixelNoise::reference()),
        Box::new(DctNoise::reference()),
    ];
    attacks.extend(Corruption::grid().into_iter().map(|c| Box::new(c) as Box<dyn Attack>));
    attacks
}

fn all(radius: f64) -> Vec<Box<dyn Attack>> {
    bounded(radius).into_iter().map(|(_, attack)| attack).chain(unbounded()).collect()
}

fn attacked(attack: &dyn Attack, model: &Network, samples: &Samples, seed: u64) -> Vec<f32> {
    let found =
        attack.perturb(&TargetModel::new(model), samples, seed).expect("a white-box target");
    assert_eq!(found.images.dims(), samples.images.dims(), "{}", attack.name());
    assert_eq!([found.n_queries.len(), found.n_gradients.len()], [samples.len(); 2]);
    values(&found.images)
}

#[test]
fn perturbation_stays_inside_the_ball_before_and_after_rounding() {
    let model = Network::new();
    let samples = samples(&model, 3);
    let attacks =
        [1.0 / 255.0, 0.1].map(|radius| bounded(radius).into_iter().map(move |a| (radius, a)));
    for (radius, (norm, attack)) in attacks.into_iter().flatten() {
        let found =
            attack.perturb(&TargetModel::new(&model), &samples, 1).expect("white-box").images;
        for size in norm.sizes(found.clone() - samples.images.clone()) {
            assert!(size <= radius as f32 * (1.0 + SLACK), "{}: {size}", attack.name());
        }
        let rounded = cifake::tensor_from_rgb8(&rgb8_from_tensor(found), &samples.images.device());
        let rounded = rounded.expect("pictures of one size") - samples.images.clone();
        let slack = match norm {
            Norm::Linf => ROUNDING,
            Norm::L2 => ROUNDING * ((3 * HEIGHT * WIDTH) as f32).sqrt(),
        };
        for size in norm.sizes(rounded) {
            assert!(size <= radius as f32 + slack + SLACK, "{}: {size}", attack.name());
        }
    }
}

#[test]
fn pixels_stay_in_range_and_are_finite() {
    let model = Network::new();
    for attack in all(0.3) {
        let found = attacked(&*attack, &model, &samples(&model, 2), 1);
        assert!(found.iter().all(|x| (0.0..=1.0).contains(x)), "{}", attack.name());
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_whoever_else_is_in_the_batch() {
    let model = Network::new();
    let samples = samples(&model, 4);
    for attack in all(0.02) {
        let together = attacked(&*attack, &model, &samples, 5);
        assert_eq!(together, attacked(&*attack, &model, &samples, 5), "{}", attack.name());
        let len = together.len() / 4;
        for i in [0, 3] {
            let alone = attacked(&*attack, &model, &samples.select(&[i]), 5);
            assert_eq!(alone, together[i * len..][..len], "{} of sample {i}", attack.name());
        }
    }
}

#[test]
fn a_radius_of_zero_is_the_identity() {
    let model = Network::new();
    let samples = samples(&model, 2);
    for (_, attack) in bounded(0.0) {
        assert_eq!(attacked(&*attack, &model, &samples, 1), values(&samples.images));
    }
}

#[test]
fn the_model_is_left_as_it_was() {
    let model = Network::new();
    let samples = samples(&model, 2);
    let before = values(&model.logits(samples.images.clone()));
    for attack in all(0.1) {
        attacked(&*attack, &model, &samples, 1);
        assert_eq!(values(&model.logits(samples.images.clone())), before, "{}", attack.name());
    }
}

/// Samples that an attack turned.
fn n_turned(attack: &dyn Attack, model: &dyn cifake::Differentiable, samples: &Samples) -> usize {
    let found = attack.perturb(&TargetModel::new(model), samples, 3).expect("a white-box target");
    let logits = values(&model.logits(found.images));
    let label = |pair: &[f32]| if pair[1] > pair[0] { Label::Fake } else { Label::Real };
    let labels = logits.chunks_exact(2).map(label);
    labels.zip(&samples.labels).filter(|(now, truth)| now != *truth).count()
}

#[test]
fn more_restarts_and_more_attacks_never_turn_fewer() {
    let model = Network::new();
    let samples = samples(&model, 12);
    for norm in [Norm::L2, Norm::Linf] {
        let radius = epsilon(if norm == Norm::L2 { 0.6 } else { 0.04 });
        let pgd = Pgd::new(norm, radius).with_steps(3);
        let turned = [1, 4, 8].map(|n| n_turned(&pgd.clone().with_restarts(n), &model, &samples));
        assert!(turned.is_sorted(), "{norm}: {turned:?}");
        let whole = n_turned(&Ensemble::standard(norm, radius), &model, &samples);
        assert!(whole >= turned[2] && whole > 0, "{norm}: {whole} of 12 after {turned:?}");
    }
}

/// A linear detector that calls every sample FAKE by the same margin, and the distance that turns
/// it: margin over the dual norm of its weights.
fn linear(norm: Norm, n: usize) -> (Linear, Samples, f64) {
    let mut model = Linear::new(0.0);
    let at = samples(&model, 1).images;
    model.offset = 1.0 - values(&model.logits(at.clone()))[1];
    let images = burn::tensor::Tensor::cat(vec![at; n], 0);
    let samples = Samples::new(images, vec![Label::Fake; n], (0..n as u64).collect());
    let weights = values(&model.weights);
    let dual = match norm {
        Norm::L2 => weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt(),
        Norm::Linf => weights.iter().map(|w| f64::from(w.abs())).sum(),
    };
    (model, samples, 1.0 / dual)
}

#[test]
fn a_linear_detector_falls_exactly_beyond_its_distance() {
    for norm in [Norm::L2, Norm::Linf] {
        let (model, samples, distance) = linear(norm, 2);
        let attacks = |radius: f64| -> [Box<dyn Attack>; 4] {
            let radius = epsilon(radius);
            [
                Box::new(Pgd::new(norm, radius).with_steps(40)),
                Box::new(Apgd::new(norm, radius)),
                Box::new(Apgd::new(norm, radius).with_loss(Loss::Margin)),
                Box::new(Fab::new(norm, radius)),
            ]
        };
        for attack in attacks(1.03 * distance) {
            assert_eq!(n_turned(&*attack, &model, &samples), 2, "{}", attack.name());
        }
        for attack in attacks(0.99 * distance) {
            assert_eq!(n_turned(&*attack, &model, &samples), 0, "{}", attack.name());
        }
    }
}

#[test]
fn square_turns_a_linear_detector_without_its_gradient() {
    for (norm, factor) in [(Norm::Linf, 3.0), (Norm::L2, 4.0)] {
        let (model, samples, distance) = linear(norm, 2);
        let attack = Square::new(norm, epsilon(factor * distance)).with_queries(2000);
        let target = TargetModel::black_box(&model);
        let found = attack.perturb(&target, &samples, 1).expect("Square asks for answers alone");
        let logits = values(&model.logits(found.images));
        assert!(logits.chunks_exact(2).all(|pair| pair[1] < pair[0]), "{norm}: {logits:?}");
        assert!(found.n_queries.iter().all(|&n| (1..=2000).contains(&n)));
    }
}

#[test]
fn a_targeted_attack_moves_one_label_and_leaves_the_other() {
    let model = Network::new();
    let samples = samples(&model, 12);
    let goal = Goal::Targeted(Label::Real);
    let attack = Pgd::l2(epsilon(2.0)).with_goal(goal).with_steps(20);
    let found = attack.perturb(&TargetModel::new(&model), &samples, 3).expect("white-box");
    let logits = values(&model.logits(found.images));
    assert!(logits.chunks_exact(2).all(|pair| pair[0] > pair[1]), "{logits:?}");
}

#[test]
fn gradient_attacks_refuse_a_black_box() {
    let model = Network::new();
    let (target, samples) = (TargetModel::black_box(&model), samples(&model, 1));
    let attack = Pgd::linf(epsilon(0.1));
    let error = attack.perturb(&target, &samples, 0).expect_err("there is no gradient");
    assert!(matches!(error, Error::NeedsGradients { .. }));
    assert!(error.to_string().contains("PGD-10 linf 0.1"), "{error}");
}

#[test]
fn one_pixel_changes_as_many_pixels_as_it_may() {
    let model = Network::new();
    let samples = samples(&model, 2);
    for n_pixels in [1, 3] {
        let attack = OnePixel::new().with_pixels(n_pixels).with_budget(12, 4);
        let found = attacked(&attack, &model, &samples, 2);
        let plane = HEIGHT * WIDTH;
        let clean = values(&samples.images);
        for (found, clean) in found.chunks_exact(3 * plane).zip(clean.chunks_exact(3 * plane)) {
            let differs =
                |at: &usize| (0..3).any(|c| found[c * plane + at] != clean[c * plane + at]);
            let changed = (0..plane).filter(differs).count();
            assert!((1..=n_pixels).contains(&changed), "{changed} of {n_pixels}");
        }
    }
}

#[test]
fn the_original_noise_fills_the_range_of_a_byte() {
    let model = Network::new();
    let samples = samples(&model, 2);
    let found = attacked(&DctNoise::reference(), &model, &samples, 2);
    for picture in found.chunks_exact(3 * HEIGHT * WIDTH) {
        let least = picture.iter().copied().fold(f32::INFINITY, f32::min);
        let most = picture.iter().copied().fold(0.0f32, f32::max);
        assert_eq!([least, most], [0.0, 1.0]);
        assert!(picture.iter().all(|x| (x * 255.0 - (x * 255.0).round()).abs() < 1e-3));
    }
    let green = attacked(&PixelNoise::reference(), &model, &samples, 2);
    let clean = values(&samples.images);
    assert_eq!(green.iter().zip(&clean).filter(|(a, b)| a != b).count(), 2 * 3);
}
