//! Promises over any radius, seed and number of steps.

use cifake_attacks::{
    Apgd, Attack, Epsilon, Fab, Norm, Pgd, Samples, Square, StepSize, TargetModel, is_correct,
};
use proptest::prelude::*;

use crate::model::{Network, samples, values};

/// A rounding error of f32 on top of the radius.
const SLACK: f32 = 1e-6;

fn attacks(norm: Norm, epsilon: Epsilon, steps: usize) -> [Box<dyn Attack>; 4] {
    [
        Box::new(Pgd::new(norm, epsilon).with_steps(steps)),
        Box::new(Apgd::new(norm, epsilon).with_steps(steps)),
        Box::new(Fab::new(norm, epsilon).with_steps(steps)),
        Box::new(Square::new(norm, epsilon).with_queries(4 * steps)),
    ]
}

fn stands(attack: &Pgd, model: &Network, samples: &Samples, seed: u64) -> Vec<bool> {
    let found = attack.perturb(&TargetModel::new(model), samples, seed).expect("white-box");
    is_correct(model, &found.images, &samples.labels)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_perturbation_is_small_in_range_and_its_own(
        levels in 0.0..60.0f64,
        is_l2: bool,
        steps in 0..5usize,
        seed: u64,
    ) {
        let model = Network::new();
        let samples = samples(&model, 3);
        let norm = if is_l2 { Norm::L2 } else { Norm::Linf };
        let epsilon = Epsilon::from_255(levels).expect("not negative");
        for attack in attacks(norm, epsilon, steps) {
            let perturb = |samples: &Samples| {
                attack.perturb(&TargetModel::new(&model), samples, seed).expect("white-box").images
            };
            let found = perturb(&samples);
            for size in norm.sizes(found.clone() - samples.images.clone()) {
                let most = epsilon.value() as f32 * (1.0 + SLACK);
                prop_assert!(size <= most, "{}: {size} of {most}", attack.name());
            }
            let together = values(&found);
            prop_assert!(together.iter().all(|x| (0.0..=1.0).contains(x)), "{}", attack.name());
            let alone = values(&perturb(&samples.select(&[1])));
            prop_assert_eq!(&alone, &together[alone.len()..2 * alone.len()]);
        }
    }

    #[test]
    fn what_has_fallen_stays_fallen(
        levels in 0.5..20.0f64,
        is_l2: bool,
        steps in 1..5usize,
        more in 1..5usize,
        seed: u64,
    ) {
        let model = Network::new();
        let samples = samples(&model, 6);
        let (norm, levels) = if is_l2 { (Norm::L2, 8.0 * levels) } else { (Norm::Linf, levels) };
        let epsilon = Epsilon::from_255(levels).expect("not negative");
        let step = StepSize::Absolute(Epsilon::from_255(levels / 4.0).expect("not negative"));
        let attack = |steps: usize, restarts: usize| {
            let attack = Pgd::new(norm, epsilon).with_early_stop().with_restarts(restarts);
            attack.with_steps(steps).with_step_size(step)
        };
        let few = stands(&attack(steps, 1), &model, &samples, seed);
        for attack in [attack(steps + more, 1), attack(steps, 1 + more)] {
            let many = stands(&attack, &model, &samples, seed);
            prop_assert!(few.iter().zip(&many).all(|(few, many)| *few || !*many));
        }
    }
}
